"""Two Spark Connect servers for the tests, until the standard input ends.

    python servers.py DIR

Spark with two executors, processes of their own, and streams that end after a second, so that every longer query meets the
deadline; and Sail. When both listen, DIR/addresses has a line for each: name, sc://HOST:PORT, process.
"""

import os
import pathlib
import re
import subprocess
import sys

import pysail.spark
import pyspark

folder = pathlib.Path(sys.argv[1])
home = pathlib.Path(pyspark.__file__).parent
settings = {
    "spark.connect.grpc.binding.port": "0",
    "spark.connect.execute.reattachable.senderMaxStreamDuration": "1s",
    "spark.default.parallelism": "4",
    "spark.executor.memory": "512m",
    "spark.local.dir": str(folder / "local"),
    "spark.sql.adaptive.coalescePartitions.enabled": "true",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.warehouse.dir": str(folder / "warehouse"),
    "spark.ui.enabled": "false",
}
command = [str(home / "bin/spark-submit"), "--master", "local-cluster[2,1,512]", "--driver-memory", "1g"]
command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
for key, value in settings.items():
    command += ["--conf", f"{key}={value}"]
environment = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
spark = subprocess.Popen(
    [*command, "spark-internal"], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT, text=True,
)
try:
    sail = pysail.spark.SparkConnectServer("127.0.0.1", 0)
    sail.start(background=True)
    with open(folder / "spark.log", "w") as log:
        for line in spark.stdout:
            log.write(line)
            log.flush()
            found = re.search(r"Spark Connect server started at: .*?:(\d+)\s*$", line)
            if found:
                lines = [
                    f"spark sc://127.0.0.1:{found[1]} {spark.pid}\n",
                    f"sail sc://127.0.0.1:{sail.listening_address[1]} {os.getpid()}\n",
                ]
                (folder / "addresses.new").write_text("".join(lines))
                (folder / "addresses.new").rename(folder / "addresses")
                break
        else:
            sys.exit("Spark did not start: see spark.log")
        # A pipe that nobody reads would stop the server.
        subprocess.Popen(["cat"], stdin=spark.stdout, stdout=log)
    sys.stdin.read()
finally:
    spark.terminate()
    spark.wait()
