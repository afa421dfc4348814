//! A session on a Spark Connect server: queries, views, and tables written by the server.
//!
//! The client library's own loop takes the end of a stream for the end of the query. A server ends streams after some minutes
//! (`spark.connect.execute.reattachable.senderMaxStreamDuration`), so a longer query came back as no rows and no error. Here a
//! stream that ends before the server has said that the result is complete is taken up again where it ended.

use crate::{Problem, Result, problem};
use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int64Type},
};
use arrow_ipc::reader::StreamReader;
use spark_connect_core::{
    ChannelBuilder, ExecutePlanResponseReattachableIterator, SparkConnectClient, SparkError,
};
use spark_connect_proto as proto;
use std::time::Duration;

/// How often in a row a stream may break without a single response before the query is given up.
const ATTEMPTS: u32 = 8;

/// A value of a result.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Double(f64),
    Text(String),
}

impl Cell {
    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(x) => Some(*x),
            _ => None,
        }
    }

    pub(super) fn double(&self) -> Option<f64> {
        match self {
            Self::Int(x) => Some(*x as f64),
            Self::Double(x) => Some(*x),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(x) => Some(x),
            _ => None,
        }
    }
}

/// A column of a table on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: FieldKind,
}

/// What a column holds, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Whole,
    Number,
    Text,
    Other,
}

/// A connected session.
pub(super) struct Session {
    client: SparkConnectClient,
    runtime: tokio::runtime::Runtime,
    master: String,
}

impl Session {
    /// Connects and asks for the server's version.
    pub(super) fn connect(master: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| problem(format!("cannot start the client: {e}")))?;
        let builder = ChannelBuilder::parse(master).map_err(|e| {
            Box::new(
                problem("this is no address of a Spark Connect server")
                    .value(shown(master))
                    .hint(format!(
                        "write it as sc://HOST:15002 or sc://HOST:443/;use_ssl=true ({e})"
                    )),
            )
        })?;
        let client = runtime.block_on(SparkConnectClient::connect(&builder));
        let mut client = client.map_err(|e| unreachable(master, &e))?;
        // Nobody waits ten minutes for a server that is not there; running queries are taken up again below.
        client.set_retry_policy(spark_connect_core::RetryPolicy::no_retries());
        Ok(Self {
            client,
            runtime,
            master: shown(master),
        })
    }

    /// The id that is different in every session.
    pub(super) fn id(&self) -> &str {
        self.client.session_id()
    }

    /// The server's version.
    pub(super) fn version(&self) -> Result<String> {
        use proto::analyze_plan_request::{Analyze, SparkVersion};
        use proto::analyze_plan_response::Result as Found;
        let answer = self.analyze(Analyze::SparkVersion(SparkVersion {}));
        match answer {
            Ok(Some(Found::SparkVersion(v))) => Ok(v.version),
            Ok(_) => Ok("of an unknown version".into()),
            Err(e) => Err(unreachable(&self.master, &e)),
        }
    }

    fn analyze(
        &self,
        what: proto::analyze_plan_request::Analyze,
    ) -> std::result::Result<Option<proto::analyze_plan_response::Result>, SparkError> {
        let request = proto::AnalyzePlanRequest {
            session_id: self.client.session_id().to_owned(),
            user_context: Some(proto::UserContext::default()),
            analyze: Some(what),
            ..Default::default()
        };
        Ok(self
            .runtime
            .block_on(self.client.analyze_plan(request))?
            .result)
    }

    /// Names and types of a query's columns.
    pub(super) fn fields(&self, query: &str) -> Result<Vec<Field>> {
        use proto::data_type::Kind as K;
        let plan = proto::Plan {
            op_type: Some(proto::plan::OpType::Root(sql(query))),
            ..Default::default()
        };
        let what = proto::analyze_plan_request::Schema { plan: Some(plan) };
        let found = self
            .analyze(proto::analyze_plan_request::Analyze::Schema(what))
            .map_err(|e| failed(query, &e))?;
        let Some(proto::analyze_plan_response::Result::Schema(schema)) = found else {
            return problem("the server did not say which columns a table has").fail();
        };
        let Some(K::Struct(columns)) = schema.schema.and_then(|s| s.kind) else {
            return problem("the server did not say which columns a table has").fail();
        };
        let kind = |kind: Option<K>| match kind {
            Some(K::Byte(_) | K::Short(_) | K::Integer(_) | K::Long(_)) => FieldKind::Whole,
            Some(K::Float(_) | K::Double(_) | K::Decimal(_)) => FieldKind::Number,
            Some(K::String(_) | K::Char(_) | K::VarChar(_)) => FieldKind::Text,
            _ => FieldKind::Other,
        };
        Ok(columns
            .fields
            .into_iter()
            .map(|f| Field {
                name: f.name,
                kind: kind(f.data_type.and_then(|t| t.kind)),
            })
            .collect())
    }

    /// The rows of a query, of which there must be few.
    pub(super) fn rows(&self, query: &str) -> Result<Vec<Vec<Cell>>> {
        let batches = self
            .execute(proto::plan::OpType::Root(sql(query)))
            .map_err(|e| failed(query, &e))?;
        let mut rows = Vec::new();
        for data in batches {
            let reader = StreamReader::try_new(data.as_slice(), None).map_err(unreadable)?;
            for batch in reader {
                let batch = batch.map_err(unreadable)?;
                for row in 0..batch.num_rows() {
                    rows.push(
                        (0..batch.num_columns())
                            .map(|c| cell(&batch, c, row))
                            .collect::<Result<_>>()?,
                    );
                }
            }
        }
        Ok(rows)
    }

    /// The only row of a query.
    pub(super) fn row(&self, query: &str) -> Result<Vec<Cell>> {
        let mut rows = self.rows(query)?;
        match rows.len() {
            1 => Ok(rows.swap_remove(0)),
            n => problem(format!("the server gave {n} rows where there must be one"))
                .value(first_line(query))
                .hint("an empty answer to a long query points at the server's stream deadline: see the traps in docs/spark.md")
                .fail(),
        }
    }

    /// Rows of a table or view.
    pub(super) fn count(&self, from: &str) -> Result<u64> {
        let row = self.row(&format!("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM {from}"))?;
        Ok(row[0].int().unwrap_or(0).max(0) as u64)
    }

    /// Gives a query a name in this session.
    pub(super) fn view(&self, name: &str, query: &str) -> Result<()> {
        let view = proto::CreateDataFrameViewCommand {
            input: Some(sql(query)),
            name: name.to_owned(),
            is_global: false,
            replace: true,
        };
        self.command(
            proto::command::CommandType::CreateDataframeView(view),
            query,
        )
    }

    /// Lets the server write the rows of a query as Parquet below a path.
    pub(super) fn write(
        &self,
        query: &str,
        format: &str,
        path: &str,
        overwrite: bool,
    ) -> Result<()> {
        use proto::write_operation::{SaveMode, SaveType};
        let mode = if overwrite {
            SaveMode::Overwrite
        } else {
            SaveMode::ErrorIfExists
        };
        let write = proto::WriteOperation {
            input: Some(sql(query)),
            source: Some(format.to_owned()),
            save_type: Some(SaveType::Path(path.to_owned())),
            mode: mode.into(),
            ..Default::default()
        };
        self.command(proto::command::CommandType::WriteOperation(write), query)
    }

    fn command(&self, what: proto::command::CommandType, query: &str) -> Result<()> {
        let command = proto::Command {
            command_type: Some(what),
        };
        self.execute(proto::plan::OpType::Command(command))
            .map(|_| ())
            .map_err(|e| failed(query, &e))
    }

    /// Runs a plan to its end and returns the batches of its result.
    fn execute(&self, what: proto::plan::OpType) -> std::result::Result<Vec<Vec<u8>>, SparkError> {
        let request = proto::ExecutePlanRequest {
            session_id: self.client.session_id().to_owned(),
            user_context: Some(proto::UserContext::default()),
            plan: Some(proto::Plan {
                op_type: Some(what),
                ..Default::default()
            }),
            client_type: Some(concat!("veche ", env!("CARGO_PKG_VERSION")).to_owned()),
            ..Default::default()
        };
        self.runtime.block_on(async {
            let run = ExecutePlanResponseReattachableIterator::new(request);
            let mut stream = self.client.execute_plan(run.request().clone()).await?;
            let mut batches = Vec::new();
            let mut broken = 0;
            while !run.is_completed().await {
                let fault = match stream.message().await {
                    Ok(Some(answer)) => {
                        broken = 0;
                        run.set_last_response_id(&answer).await;
                        if let Some(proto::execute_plan_response::ResponseType::ArrowBatch(batch)) =
                            answer.response_type
                        {
                            batches.push(batch.data.to_vec());
                        }
                        continue;
                    }
                    // The server's deadline for one stream. The query runs on.
                    Ok(None) => None,
                    Err(status) if passing(&status) => Some(SparkError::from_grpc_status(status)),
                    Err(status) => return Err(SparkError::from_grpc_status(status)),
                };
                loop {
                    if fault.is_some() {
                        broken += 1;
                        tokio::time::sleep(Duration::from_millis(50 << broken.min(7))).await;
                    }
                    match self
                        .client
                        .reattach_execute(run.create_reattach_request().await)
                        .await
                    {
                        Ok(resumed) => {
                            stream = resumed;
                            break;
                        }
                        Err(e) if broken >= ATTEMPTS || fault.is_none() => return Err(e),
                        Err(_) => {}
                    }
                }
            }
            // The server may forget the answer now; it would do so by itself later.
            let _ = self
                .client
                .release_execute(run.create_release_request(true).await)
                .await;
            Ok(batches)
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The server would keep the session for an hour.
        let ended = self.client.release_session();
        let _ = self
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(5), ended).await });
    }
}

/// Whether a stream that ended like this may be taken up again.
fn passing(status: &tonic::Status) -> bool {
    use tonic::Code;
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::DeadlineExceeded
    ) || status.message().contains("INVALID_CURSOR.DISCONNECTED")
}

fn sql(query: &str) -> proto::Relation {
    let query = proto::Sql {
        query: query.to_owned(),
        ..Default::default()
    };
    proto::Relation {
        rel_type: Some(proto::relation::RelType::Sql(query)),
        ..Default::default()
    }
}

/// A value as a cell. Engines differ in which of the text types they send.
fn cell(batch: &RecordBatch, column: usize, row: usize) -> Result<Cell> {
    let array = batch.column(column);
    if array.is_null(row) {
        return Ok(Cell::Null);
    }
    if let Some(a) = array.as_primitive_opt::<Int64Type>() {
        return Ok(Cell::Int(a.value(row)));
    }
    if let Some(a) = array.as_primitive_opt::<Float64Type>() {
        return Ok(Cell::Double(a.value(row)));
    }
    let text = array
        .as_string_opt::<i32>()
        .map(|a| a.value(row))
        .or_else(|| array.as_string_opt::<i64>().map(|a| a.value(row)))
        .or_else(|| array.as_string_view_opt().map(|a| a.value(row)));
    match text {
        Some(text) => Ok(Cell::Text(text.to_owned())),
        None => problem(format!(
            "the server sent a column of type {} that nobody asked for",
            array.data_type()
        ))
        .column(batch.schema().field(column).name())
        .fail(),
    }
}

/// The address without what may be a secret.
fn shown(master: &str) -> String {
    master
        .split(";")
        .next()
        .unwrap_or_default()
        .trim_end_matches('/')
        .to_owned()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn unreachable(master: &str, error: &SparkError) -> Box<Problem> {
    Box::new(
        problem(format!("no Spark Connect server answers: {}", first_line(&error.to_string())))
            .value(shown(master))
            .hint("check host and port (15002 is usual), that the server was started with Spark Connect, and for TLS that ;use_ssl=true is given"),
    )
}

fn unreadable(error: arrow_schema::ArrowError) -> Box<Problem> {
    Box::new(problem(format!(
        "the server's answer cannot be read: {error}"
    )))
}

/// What the server said about a query.
fn failed(query: &str, error: &SparkError) -> Box<Problem> {
    let said = error.to_string();
    let said = said.lines().take(3).collect::<Vec<_>>().join("\n  ");
    let hint = if said.contains("PATH_ALREADY_EXISTS") || said.contains("already exists") {
        "name another place for the result, or replace what is there with --overwrite"
    } else if said.contains("PATH_NOT_FOUND")
        || said.contains("TABLE_OR_VIEW_NOT_FOUND")
        || said.contains("not found")
    {
        "the path or table must be one that the cluster can read: a URL of its store, a folder that all its machines share, or a table"
    } else if said.contains("SESSION") || said.contains("UNAVAILABLE") || said.contains("transport")
    {
        "the server went away or forgot the session: run the command again; nothing of the result was left half-written under its name"
    } else {
        "see the server's log; `--print-sql` shows every query"
    };
    Box::new(
        problem(format!("the cluster could not run a query: {said}"))
            .value(first_line(query))
            .hint(hint),
    )
}
