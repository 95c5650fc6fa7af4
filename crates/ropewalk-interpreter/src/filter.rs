//! The filter of system calls: what a worker may not ask of the kernel.
//!
//! What is not named is allowed: numpy and its friends use far more calls than a list would remember, and the other layers
//! stand behind it. What is named gives more of the kernel than a computation needs: new namespaces, mounts, tracing,
//! sockets, keys, programs in the kernel. Calls that came to Linux after this list was made do not exist.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

/// Calls that fail with "not permitted".
const DENIED: &[i64] = &[
    // Namespaces, roots and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Doors into the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_fanotify_init,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_vhangup,
    libc::SYS_memfd_secret,
    // The machine's clock, name and limits.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // What others do to files that all may read, and locks that all of them meet.
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_flock,
    // Keys.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Memory and queues that outlive their makers.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_semtimedop,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    // The network: there is no socket of any family.
    libc::SYS_socket,
    // Another personality may read where addresses are.
    libc::SYS_personality,
];

/// Calls of one machine only.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[i64] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_kexec_file_load,
    libc::SYS_inotify_init,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[i64] = &[libc::SYS_kexec_file_load];

/// Calls that do not exist here: their callers know another way, which can be looked into.
const UNKNOWN: &[i64] = &[libc::SYS_clone3];

/// Flags of `clone` that make a namespace.
const NAMESPACES: [u64; 8] = [
    libc::CLONE_NEWNS as u64,
    libc::CLONE_NEWCGROUP as u64,
    libc::CLONE_NEWUTS as u64,
    libc::CLONE_NEWIPC as u64,
    libc::CLONE_NEWUSER as u64,
    libc::CLONE_NEWPID as u64,
    libc::CLONE_NEWNET as u64,
    // CLONE_NEWTIME.
    0x80,
];

/// The newest call that was looked at: `fchmodat2`, of Linux 6.6. All machines count alike from 424 on.
const NEWEST: u32 = 452;

/// From here on numbers are those of the x32 table, a second door to all calls.
#[cfg(target_arch = "x86_64")]
const FOREIGN_TABLE: u32 = 0x4000_0000;

/// The programs to install, in this order; each as the kernel takes it.
pub(crate) fn programs() -> Result<Vec<Vec<u8>>, seccompiler::BackendError> {
    let unknown = UNKNOWN.iter().map(|call| (*call, Vec::new())).collect();
    let mut denied: BTreeMap<i64, Vec<SeccompRule>> =
        DENIED.iter().chain(DENIED_HERE).map(|call| (*call, Vec::new())).collect();
    let namespaces = NAMESPACES.map(|flag| rule(0, SeccompCmpOp::MaskedEq(flag), flag));
    denied.insert(libc::SYS_clone, namespaces.into_iter().collect::<Result<_, _>>()?);
    let not_local = rule(0, SeccompCmpOp::Ne, libc::AF_UNIX as u64)?;
    denied.insert(libc::SYS_socketpair, vec![not_local]);
    // `TIOCSTI` and `TIOCLINUX` put words into the mouth of a terminal.
    let words = [libc::TIOCSTI, libc::TIOCLINUX].map(|order| rule(1, SeccompCmpOp::Eq, order));
    denied.insert(libc::SYS_ioctl, words.into_iter().collect::<Result<_, _>>()?);
    let programs = [numbers(), compile(unknown, libc::ENOSYS)?, compile(denied, libc::EPERM)?];
    Ok(programs.iter().map(bytes).collect())
}

fn rule(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)?])
}

fn compile(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    errno: i32,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// Ends whoever calls by a number of the foreign table; to those that are too new it says that they do not exist.
fn numbers() -> BpfProgram {
    let step = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
    let finish = |with| step(libc::BPF_RET, 0, 0, with);
    let is_at_least =
        |number, otherwise| step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, otherwise, number);
    let no_such_call = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        #[cfg(target_arch = "x86_64")]
        is_at_least(FOREIGN_TABLE, 1),
        #[cfg(target_arch = "x86_64")]
        finish(libc::SECCOMP_RET_KILL_PROCESS),
        is_at_least(NEWEST + 1, 1),
        finish(no_such_call),
        finish(libc::SECCOMP_RET_ALLOW),
    ]
}

/// The program as the kernel takes it.
fn bytes(program: &BpfProgram) -> Vec<u8> {
    let step = |step: &sock_filter| {
        let (code, value) = (step.code.to_ne_bytes(), step.k.to_ne_bytes());
        [&code[..], &[step.jt, step.jf], &value].concat()
    };
    program.iter().flat_map(step).collect()
}
