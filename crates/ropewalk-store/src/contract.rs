//! The suites that every [`Backend`](crate::Backend) and every [`BlobBackend`](crate::BlobBackend) must pass.

/// Asserts that a call fails with this error.
macro_rules! refuses {
    ($call:expr, $error:pat $(if $guard:expr)?) => {
        match $call.await {
            Err($error) $(if $guard)? => {}
            other => panic!("{}: not {other:?}", stringify!($error $(if $guard)?)),
        }
    };
}

mod blobs;
mod counters;
mod filters;
mod lists;
mod tenants;
mod work;
mod writes;

use crate::{Batch, Blobs, Document, Kind, Organization, Put, Scope, Store};

/// Holds a backend to the contract of [`Backend`](crate::Backend); `fresh` makes an empty store for each case.
///
/// Runs inside tokio, without a clock and without sleeping.
///
/// # Panics
///
/// On the first clause that the backend breaks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use ropewalk_store::{Store, contract};
///
/// contract::check(async || Store::in_memory()).await;
/// # }
/// ```
pub async fn check(fresh: impl AsyncFn() -> Store) {
    writes::a_document_reads_back_as_it_was_put(&fresh().await).await;
    writes::each_put_replaces_the_document_and_counts(&fresh().await).await;
    writes::expectations_are_checked(&fresh().await).await;
    writes::a_failing_step_undoes_the_whole_batch(&fresh().await).await;
    writes::steps_see_those_before_them(&fresh().await).await;
    writes::a_lock_has_one_holder(&fresh().await).await;
    writes::one_of_many_contradicting_commits_wins(&fresh().await).await;
    writes::a_deleted_tree_leaves_its_neighbours(&fresh().await).await;
    lists::pages_walk_the_list_in_either_order(&fresh().await).await;
    lists::cursors_cut_the_list(&fresh().await).await;
    lists::lists_are_kept_apart_by_kind_parent_and_tag(&fresh().await).await;
    lists::a_cursor_must_stand_in_the_list(&fresh().await).await;
    lists::an_update_keeps_its_place_unless_it_says_otherwise(&fresh().await).await;
    filters::a_text_is_compared_whatever_its_key(&fresh().await).await;
    filters::times_are_inclusive(&fresh().await).await;
    filters::a_child_is_looked_for_by_kind_and_tag(&fresh().await).await;
    filters::pages_of_a_filter_show_each_row_once_while_others_write(&fresh().await).await;
    counters::counters_add_up(&fresh().await).await;
    counters::counters_are_part_of_their_batch(&fresh().await).await;
    counters::counters_are_dropped_by_prefix(&fresh().await).await;
    counters::many_who_count_at_once_lose_nothing(&fresh().await).await;
    counters::a_reply_has_a_thousand_counters_at_most(&fresh().await).await;
    tenants::organisations_do_not_see_each_other(&fresh().await).await;
    tenants::organisations_do_not_touch_each_other(&fresh().await).await;
    tenants::work_is_claimed_for_all_and_scoped_to_its_owner(&fresh().await).await;
    work::what_is_due_is_claimed_once_and_the_longest_due_first(&fresh().await).await;
    work::a_lease_that_ended_is_taken_over(&fresh().await).await;
    work::a_put_ends_or_moves_the_claim(&fresh().await).await;
    work::a_lease_is_renewed_until_somebody_takes_or_changes_it(&fresh().await).await;
    work::many_workers_share_the_work_without_overlap(&fresh().await).await;
}

/// Holds a backend to the contract of [`BlobBackend`](crate::BlobBackend); `fresh` makes an empty one for each case.
///
/// Runs inside tokio, without a clock and without sleeping.
///
/// # Panics
///
/// On the first clause that the backend breaks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use ropewalk_store::{Blobs, contract};
///
/// contract::blobs(async || Blobs::in_memory()).await;
/// # }
/// ```
pub async fn blobs(fresh: impl AsyncFn() -> Blobs) {
    blobs::a_blob_reads_back_as_it_was_written(&fresh().await).await;
    blobs::a_range_is_cut_to_the_blob(&fresh().await).await;
    blobs::an_unfinished_blob_is_not_there(&fresh().await).await;
    blobs::a_reader_reads_on_what_it_began(&fresh().await).await;
    blobs::what_is_not_there_is_missing(&fresh().await).await;
    blobs::parts_become_a_whole(&fresh().await).await;
    blobs::any_text_is_an_id(&fresh().await).await;
    blobs::blobs_of_organisations_are_apart(&fresh().await).await;
    blobs::the_last_of_many_writers_wins_whole(&fresh().await).await;
}

fn scope(store: &Store) -> Scope {
    store.scope(Organization::new("rope"))
}

fn put(kind: Kind, id: &str) -> Batch {
    Batch::new().put(Put::new(kind, id, 0, "{}"))
}

async fn commit(scope: &Scope, batch: Batch) {
    scope.commit(batch).await.expect("the batch is stored");
}

async fn find(scope: &Scope, kind: Kind, id: &str) -> Option<Document> {
    scope.get(kind, id).await.expect("a read succeeds")
}

async fn read(scope: &Scope, kind: Kind, id: &str) -> Document {
    find(scope, kind, id).await.expect("the document is there")
}

fn ids<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Vec<&'a str> {
    documents.into_iter().map(|document| document.id.as_str()).collect()
}
