//! All faults, a file each.

mod clients_killed;
mod full_disk;
mod half_migrated_slot;
mod held_futures;
mod killed_process;
mod link_retargeted;
mod metadata_deleted;
mod restarted_empty;
mod restored_through_hard_link;
mod server_flushed;
mod stopped_process;
mod unlinked_file;

use crate::backend::Backend;
use crate::fault::Fault;

pub(crate) const ALL: &[&dyn Fault] = &[
    &link_retargeted::LinkRetargeted,
    &unlinked_file::UnlinkedFile,
    &restored_through_hard_link::RestoredThroughHardLink,
    &stopped_process::StoppedProcess,
    &full_disk::FullDisk(Backend::Sqlite),
    &held_futures::HeldFutures(Backend::Sqlite),
    &killed_process::KilledProcess(Backend::Sqlite),
    &full_disk::FullDisk(Backend::Sled),
    &held_futures::HeldFutures(Backend::Sled),
    &killed_process::KilledProcess(Backend::Sled),
    &server_flushed::FLUSHALL,
    &server_flushed::SWAPDB,
    &metadata_deleted::MetadataDeleted,
    &clients_killed::ClientsKilled,
    &restarted_empty::RestartedEmpty,
    &held_futures::HeldFutures(Backend::Redis),
    &half_migrated_slot::HalfMigratedSlot,
];
