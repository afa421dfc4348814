"""Other programs read what veche wrote and write what it is to read: `tools.py CHECK ARGS…`, called by tests/formats/tools.rs.

Each check fails with an AssertionError, or prints one line of JSON. Answers that are "given" here follow a rule (`answer`), so that the
test knows what must come back.
"""

import json
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")
PEOPLE = ["ann", "bob", "Мария"]


def answer(task, who):
    """What PEOPLE[who] says about the task at this place of the pool."""
    return (7 * task + 13 * who) % 100, ["female", "male"][(task + who) % 2]


def label_studio(tasks, config, export, minimal):
    """Checks tasks and predictions against the labelling configuration; answers them; writes both kinds of export."""
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    config = Path(config).read_text("utf-8")
    page = LabelInterface(config)
    assert page.validate() is None
    assert {c.name for c in page.controls} == {"age", "sex"}
    done, predicted = [], 0
    for at, task in enumerate(json.loads(Path(tasks).read_text("utf-8"))):
        assert page.validate_task(task, validate_regions_only=False), task
        for prediction in task.get("predictions", []):
            predicted += 1
            assert page.validate_prediction(prediction, return_errors=True) == [], prediction
        annotations = []
        for who, name in enumerate(PEOPLE):
            age, sex = answer(at, who)
            result = [
                {"id": f"{at}-{who}-a", "from_name": "age", "to_name": "image", "type": "number", "value": {"number": age}},
                {"id": f"{at}-{who}-s", "from_name": "sex", "to_name": "image", "type": "choices", "value": {"choices": [sex]}},
            ]
            annotation = {
                "id": 10 * at + who, "completed_by": {"id": who + 1, "email": f"{name}@example.org"}, "result": result,
                "was_cancelled": False, "ground_truth": False, "lead_time": 4.5,
                "created_at": "2026-11-23T08:00:00.123456Z", "updated_at": "2026-11-23T08:00:05.000000Z",
            }
            assert page.validate_annotation(annotation), annotation
            annotations.append(annotation)
        done.append({"id": at + 1, **task, "annotations": annotations, "total_annotations": len(annotations)})
    folder = Path(export).parent / "label-studio"
    folder.mkdir()
    (folder / "export.json").write_text(json.dumps(done), "utf-8")
    Path(export).write_text(json.dumps(done), "utf-8")
    Converter(config, str(folder), download_resources=False).convert_to_json_min(str(folder / "export.json"), str(folder / "out"), is_dir=False)
    Path(minimal).write_bytes((folder / "out" / "result.json").read_bytes())
    return {"tasks": len(done), "predictions": predicted}


def label_studio_votes(file, config):
    """Checks annotations that veche wrote."""
    from label_studio_sdk.label_interface import LabelInterface

    page = LabelInterface(Path(config).read_text("utf-8"))
    tasks = json.loads(Path(file).read_text("utf-8"))
    annotations = [a for task in tasks for a in task["annotations"]]
    assert all(page.validate_annotation(a) for a in annotations)
    return {"tasks": len(tasks), "annotations": len(annotations)}


def cvat(file, out):
    """datumaro reads the file; then each annotator goes over a copy of it, as CVAT exports it from a job of theirs."""
    import xml.etree.ElementTree as ET

    from datumaro import Dataset

    seen = {}
    for item in Dataset.import_from(file, "cvat"):
        [tag] = item.annotations
        seen[item.id] = [tag.attributes["age"], tag.attributes["sex"]]
        assert (item.media.size or item.media_as(type(item.media)).size) is not None
    for who, name in enumerate(PEOPLE):
        tree = ET.parse(file)
        meta = tree.find("meta")
        job = ET.SubElement(meta, "job")
        ET.SubElement(ET.SubElement(job, "assignee"), "username").text = name
        for at, image in enumerate(tree.findall("image")):
            [tag] = image.findall("tag")
            tag.set("source", "manual")
            for attribute, value in zip(tag.findall("attribute"), answer(at, who)):
                attribute.text = str(value)
        tree.write(Path(out) / f"job-{who}.xml", encoding="utf-8", xml_declaration=True)
    return seen


def cvat_boxes(file):
    """Boxes and attributes by item, as datumaro reads them."""
    from datumaro import Dataset

    return {
        item.id: [[[float(v) for v in box.get_bbox()], box.attributes["age"], box.attributes["sex"]] for box in item.annotations]
        for item in Dataset.import_from(file, "cvat")
    }


def crowd_kit(votes, out):
    """crowd-kit's aggregators on veche's export."""
    import pandas
    from crowdkit.aggregation import DawidSkene, MajorityVote, OneCoinDawidSkene

    frame = pandas.read_csv(votes, dtype=str)
    assert list(frame.columns) == ["worker", "task", "label", "question"]
    sexes = frame[frame.question == "sex"].dropna(subset="label")[["worker", "task", "label"]]
    ages = frame[frame.question == "age"].dropna(subset="label").astype({"label": float})
    Path(out).mkdir()
    sexes.to_csv(Path(out, "sexes.csv"), index=False)
    ages.to_csv(Path(out, "ages.csv"), index=False)
    majority = MajorityVote().fit(sexes)
    found = {
        "majority": majority.labels_.to_dict(),
        "majority_probas": majority.probas_.max(axis=1).to_dict(),
        "mean": ages.groupby("task").label.mean().to_dict(),
    }
    for name, method in [("dawid-skene", DawidSkene(n_iter=100)), ("one-coin", OneCoinDawidSkene(n_iter=100))]:
        fitted = method.fit(sexes)
        found[name] = fitted.labels_.to_dict()
        found[f"{name}_probas"] = fitted.probas_.max(axis=1).to_dict()
    # As crowd-kit hands out its labels, to be read as known answers.
    majority.labels_.rename("label").to_csv(Path(out, "truth.csv"))
    return found


def hugging_face(votes, labels, folders, out):
    """The package datasets reads tables and folders of pictures, and writes votes again."""
    from datasets import load_dataset

    cache = str(Path(out) / "cache")
    table = load_dataset("parquet", data_files=votes, split="train", cache_dir=cache)
    table.to_csv(Path(out) / "hf.csv", index=False)
    table.to_parquet(Path(out) / "hf.parquet")
    labels = load_dataset("parquet", data_files=labels, split="train", cache_dir=cache)
    found = {"votes": len(table), "labels": len(labels), "columns": labels.column_names, "folders": []}
    for folder in folders.split(","):
        pictures = load_dataset(folder, split="test", cache_dir=cache)
        first = pictures[0]
        found["folders"].append([len(pictures), list(first["image"].size), first["age"], first["sex"]])
    return found


def arrow(votes, labels, pool, out):
    """pyarrow reads the Parquet files; and writes votes in the ways that its users have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(votes)
    types = {field.name: str(field.type).replace("_view", "").replace("large_", "") for field in table.schema}
    text = {name: table[name].cast(pa.string()) for name, kind in types.items() if kind == "string"}
    plain = pa.table({name: text.get(name, table[name]) for name in table.column_names})
    for codec in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
        pq.write_table(plain, Path(out) / f"{codec}.parquet", compression=codec)
    coded = pa.table({name: plain[name].dictionary_encode() if name in text else plain[name] for name in plain.column_names})
    pq.write_table(coded, Path(out) / "dictionary.parquet")
    large = pa.table({name: plain[name].cast(pa.large_string()) if name in text else plain[name] for name in plain.column_names})
    pq.write_table(large, Path(out) / "large.parquet", row_group_size=7, data_page_version="2.0")
    return {
        "types": types, "votes": table.num_rows, "labels": pq.read_table(labels).to_pylist(),
        "pool": {name: pq.read_table(Path(pool) / f"{name}.parquet").num_rows for name in ["tasks", "roles"]},
    }


def coco(file, out):
    """pycocotools and datumaro read the file, and datumaro writes it again."""
    from datumaro import Dataset
    from pycocotools.coco import COCO

    tools = COCO(file)
    found = {str(a["id"]): [a["bbox"], a["attributes"]["age"], a["attributes"]["sex"]] for a in tools.loadAnns(tools.getAnnIds())}
    assert len(tools.getImgIds()) == len(tools.loadImgs(tools.getImgIds()))
    folder = Path(out) / "in" / "annotations"
    folder.mkdir(parents=True)
    (folder / "instances_test.json").write_bytes(Path(file).read_bytes())
    Dataset.import_from(str(Path(out) / "in"), "coco_instances").export(str(Path(out) / "datumaro"), "coco_instances")
    return found


def mturk(batch, layout, results):
    """Shows each row of the batch as the requester's site does, checks the form, and writes the results of the batch."""
    import csv
    import re
    from html.parser import HTMLParser

    page = Path(layout).read_text("utf-8")
    rows = list(csv.DictReader(open(batch, encoding="utf-8", newline="")))
    variables = set(re.findall(r"\$\{(\w+)\}", page))
    assert variables and variables <= set(rows[0]), variables
    fields = set()

    class Form(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag == "input":
                fields.add(dict(attributes)["name"])

    Form().feed(page)
    places = sum(name.startswith("task_") for name in rows[0])
    assert fields == {f"{q}_{p}" for q in ["age", "sex"] for p in range(1, places + 1)}, fields
    head = ["HITId", "HITTypeId", "Title", "AssignmentId", "WorkerId", "AssignmentStatus", "AcceptTime", "SubmitTime", "WorkTimeInSeconds"]
    answers = [f"Answer.{q}_{p}" for p in range(1, places + 1) for q in ["age", "sex"]]
    count = 0
    with open(results, "w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, head + [f"Input.{n}" for n in rows[0]] + answers + ["Approve", "Reject"])
        out.writeheader()
        for at, row in enumerate(rows):
            record = {f"Input.{n}": v for n, v in row.items()}
            record.update(
                HITId=f"HIT{at}", HITTypeId="T", Title="How old?", AssignmentId=f"A{at}", WorkerId=f"W{at}", AssignmentStatus="Approved",
                AcceptTime="Tue Nov 24 08:00:00 PST 2026", SubmitTime="Tue Nov 24 08:01:10 PST 2026", WorkTimeInSeconds="70",
            )
            for place in range(1, places + 1):
                if row[f"task_{place}"]:
                    record[f"Answer.age_{place}"], record[f"Answer.sex_{place}"] = answer(at + place, 0)
                    count += 2
            out.writerow(record)
    return {"hits": len(rows), "votes": count}


def s3():
    """Serves an object store on a free port until stdin ends; says where, first."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(json.dumps("http://{}:{}".format(*server.get_host_and_port())), flush=True)
    sys.stdin.read()
    server.stop()
    return None


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(result, ensure_ascii=False))
