//! A VFS in front of the system's own: it hands everything on, and records what changes a watched folder.
#![expect(unsafe_code, reason = "a VFS of SQLite is a table of C functions")]

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr, slice,
    sync::{
        Arc, Once,
        atomic::{AtomicPtr, Ordering::Relaxed},
    },
};

use rusqlite::ffi::{
    SQLITE_IOERR, SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL, sqlite3_file,
    sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

use crate::recording::{Action, Recording};

/// The system's VFS, for ever.
static SYSTEM: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// A file as SQLite sees it; the system's follows right behind it in memory.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// A `Box`, or null if nobody watches.
    watched: *mut Watched,
}

struct Watched {
    recording: Arc<Recording>,
    name: String,
    /// Whether its next sync makes its name last, too.
    is_new: bool,
}

/// Makes this the default VFS of the process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the default VFS of the system is static, and so is the copy of it, which is leaked. The functions that
        // are copied do not look at which VFS they are called with but for fields that are equal in both.
        let result = unsafe {
            let system = sqlite3_vfs_find(ptr::null());
            SYSTEM.store(system, Relaxed);
            let ours = Box::leak(Box::new(ptr::read(system)));
            ours.pNext = ptr::null_mut();
            ours.zName = c"power-loss".as_ptr();
            ours.szOsFile += size_of::<File>() as c_int;
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            sqlite3_vfs_register(ours, 1)
        };
        assert_eq!(result, SQLITE_OK, "the VFS is registered");
    });
}

/// The path of a file, if somebody watches its folder.
///
/// # Safety
///
/// `name` is null or a C string.
unsafe fn watched(name: *const c_char) -> Option<(Arc<Recording>, String)> {
    if name.is_null() {
        return None; // A file of SQLite's own, which is gone when it is closed.
    }
    // SAFETY: as the caller promises.
    let name = unsafe { CStr::from_ptr(name) };
    Recording::of(Path::new(OsStr::from_bytes(name.to_bytes())))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let system = SYSTEM.load(Relaxed);
    // SAFETY: SQLite gives `szOsFile` bytes for the file, and a name that is null or a C string.
    unsafe {
        let found = watched(name);
        let open =
            || (*system).xOpen.map_or(SQLITE_IOERR, |open| open(system, name, inner(file), flags, out_flags));
        let is_new =
            found.is_some() && !Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes())).exists();
        let result = match &found {
            None => open(),
            Some((recording, name)) => recording.record(name, || {
                let result = open();
                (result, (result == SQLITE_OK).then_some(Action::Open { is_new }))
            }),
        };
        let file = file.cast::<File>();
        (*file).base.pMethods = if result == SQLITE_OK { &METHODS } else { ptr::null() };
        (*file).watched = ptr::null_mut();
        if let Some((recording, name)) = found.filter(|_| result == SQLITE_OK) {
            let of_log = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL) != 0;
            let is_new = of_log && flags & SQLITE_OPEN_CREATE != 0;
            (*file).watched = Box::into_raw(Box::new(Watched { recording, name, is_new }));
        }
        result
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let system = SYSTEM.load(Relaxed);
    // SAFETY: SQLite gives a C string, which is handed on.
    unsafe {
        let delete = || (*system).xDelete.map_or(SQLITE_IOERR, |delete| delete(system, name, sync));
        match watched(name) {
            None => delete(),
            Some((recording, name)) => recording.record(&name, || {
                let result = delete();
                (result, (result == SQLITE_OK).then_some(Action::Delete { lasting: sync != 0 }))
            }),
        }
    }
}

/// The system's file behind ours.
///
/// # Safety
///
/// `file` was given to [`open`].
unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: there are `szOsFile` bytes, ours and then the system's.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// Hands a call on to the system's file.
macro_rules! system {
    ($method:ident($file:expr $(, $argument:expr)*)) => {{
        let (file, methods) = (inner($file), (*inner($file)).pMethods);
        match (*methods).$method {
            Some(method) => method(file $(, $argument)*),
            None => SQLITE_IOERR,
        }
    }};
}

/// Functions that only hand on.
macro_rules! hand_on {
    ($($name:ident is $method:ident($($argument:ident: $kind:ty),*);)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) -> c_int {
            // SAFETY: SQLite calls the methods of a file that is open with what they take.
            unsafe { system!($method(file $(, $argument)*)) }
        }
    )*};
}

hand_on! {
    read is xRead(to: *mut c_void, bytes: c_int, offset: sqlite3_int64);
    file_size is xFileSize(bytes: *mut sqlite3_int64);
    lock is xLock(level: c_int);
    unlock is xUnlock(level: c_int);
    check_reserved_lock is xCheckReservedLock(is_held: *mut c_int);
    file_control is xFileControl(operation: c_int, argument: *mut c_void);
    sector_size is xSectorSize();
    device_characteristics is xDeviceCharacteristics();
    shm_map is xShmMap(region: c_int, bytes: c_int, extend: c_int, at: *mut *mut c_void);
    shm_lock is xShmLock(offset: c_int, count: c_int, flags: c_int);
    shm_unmap is xShmUnmap(delete: c_int);
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: as with the functions that only hand on.
    unsafe {
        if let Some(barrier) = (*(*inner(file)).pMethods).xShmBarrier {
            barrier(inner(file));
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the box was made by `open`, and no method is called after this one.
    unsafe {
        let watched = (*file.cast::<File>()).watched;
        if !watched.is_null() {
            drop(Box::from_raw(watched));
        }
        system!(xClose(file))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives as many bytes as it says, and uses a file from one thread at a time.
    unsafe {
        let write = || system!(xWrite(file, from, bytes, offset));
        let Some(Watched { recording, name, .. }) = (*file.cast::<File>()).watched.as_ref() else {
            return write();
        };
        let content = slice::from_raw_parts(from.cast::<u8>(), bytes as usize);
        recording.record(name, || {
            let (result, bytes) = (write(), content.to_vec());
            (result, (result == SQLITE_OK).then_some(Action::Write { offset: offset as usize, bytes }))
        })
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, bytes: sqlite3_int64) -> c_int {
    // SAFETY: as for `write`.
    unsafe {
        let truncate = || system!(xTruncate(file, bytes));
        let Some(Watched { recording, name, .. }) = (*file.cast::<File>()).watched.as_ref() else {
            return truncate();
        };
        recording.record(name, || {
            let result = truncate();
            (result, (result == SQLITE_OK).then_some(Action::Truncate { bytes: bytes as usize }))
        })
    }
}

/// The disk of a test need not last: nothing is synced but in the recording.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: as for `write`.
    let watched = unsafe { (*file.cast::<File>()).watched.as_mut() };
    if let Some(Watched { recording, name, is_new }) = watched {
        let names = std::mem::take(is_new);
        recording.record(name, || ((), Some(Action::Sync { names })));
    }
    SQLITE_OK
}

/// Version 2: the log's index can be shared, files cannot be mapped, for what is written so would not be seen.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
