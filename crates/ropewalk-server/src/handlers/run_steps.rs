use ropewalk_runs::record;
use ropewalk_store::{Kind, Scope};
use ropewalk_types::{ListQuery, RunId, ThreadId, endpoint};

use super::find;
use crate::{api_error::ApiError, call::Call, list, reply::Reply};

pub(crate) async fn list(
    call: Call<endpoint::ListRunSteps>,
) -> Result<Reply<endpoint::ListRunSteps>, ApiError> {
    let (thread, run) = call.path;
    run_on_thread(&call.scope, &thread, &run).await?;
    let query = call.query;
    let page = ListQuery { limit: query.limit, order: query.order, after: query.after, before: query.before };
    let request = list::request(Kind::RunStep, Some(run.as_str()), page);
    list::page_of(&call.scope, &request, |step| record::step_json(step, &query.include)).await
}

pub(crate) async fn get(call: Call<endpoint::GetRunStep>) -> Result<Reply<endpoint::GetRunStep>, ApiError> {
    let (thread, run, step) = call.path;
    run_on_thread(&call.scope, &thread, &run).await?;
    let step = find(&call.scope, Kind::RunStep, step.as_str(), Some(run.as_str())).await?;
    Ok(Reply::bytes(record::step_json(&step, &call.query.include)?))
}

async fn run_on_thread(scope: &Scope, thread: &ThreadId, run: &RunId) -> Result<(), ApiError> {
    find(scope, Kind::Run, run.as_str(), Some(thread.as_str())).await.map(|_| ())
}
