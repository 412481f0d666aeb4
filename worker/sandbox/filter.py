"""The program that decides which system calls a worker may make, for the kernel's seccomp.

A worker computes, reads files, and talks over the sockets it was told of. It starts no process,
runs no program and has no use for the interfaces below, which reach into other processes, around
Landlock or deep into the kernel. Everything else stays allowed: a list of what is needed would
break with each new library.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# linux/bpf_common.h: load a word at an address; jump; jump if equal, not less, any bit set; return.
_LOAD, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
# struct seccomp_data: number, architecture, instruction pointer (8 bytes), six arguments.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x00010000
# Calls of the x32 interface have this bit; they would pass a list of x86-64's numbers.
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor's number in audit records, and its numbers of system calls: the one that takes
    the filter, and those that it decides on."""

    audit: int
    seccomp: int
    socket: int
    clone: int
    # Refused whatever their arguments.
    refused: tuple[int, ...]
    has_x32: bool = False


_CLONE3 = 435
# pidfd_getfd, io_uring_setup, open_tree, move_mount, fsopen, mount_setattr.
_SAME_EVERYWHERE = (438, 425, 428, 429, 430, 442)
# Of each: execve, execveat, and on x86-64 fork and vfork; ptrace, process_vm_readv and _writev;
# unshare, setns, mount, pivot_root; bpf, perf_event_open, userfaultfd; add_key, request_key,
# keyctl; open_by_handle_at; kexec_load, init_module, finit_module.
_X86_64 = (
    *(59, 322, 57, 58, 101, 310, 311, 272, 308, 165, 155, 321, 298, 323, 248, 249, 250, 304),
    *(246, 175, 313, *_SAME_EVERYWHERE),
)
_AARCH64 = (
    *(221, 281, 117, 270, 271, 97, 268, 40, 41, 280, 241, 282, 217, 218, 219, 265, 104, 105, 273),
    *_SAME_EVERYWHERE,
)
MACHINES = {
    "x86_64": Machine(0xC000003E, seccomp=317, socket=41, clone=56, refused=_X86_64, has_x32=True),
    "aarch64": Machine(0xC00000B7, seccomp=277, socket=198, clone=220, refused=_AARCH64),
}
LOCAL = (socket.AF_UNIX,)
# Name look-ups ask the kernel for this machine's addresses.
REMOTE = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)


def program(machine: Machine, families: Iterable[int]) -> bytes:
    """An array of `struct sock_filter`; sockets of these families may be made."""
    known = list(families)
    return b"".join(
        [
            _step(_LOAD, _ARCHITECTURE),
            *_unless(_EQUAL, machine.audit, _refuse(errno.ENOSYS)),
            _step(_LOAD, _NUMBER),
            *(_when(_AT_LEAST, _X32, _refuse(errno.ENOSYS)) if machine.has_x32 else ()),
            # Its flags are out of reach; the C library then calls `clone`.
            *_when(_EQUAL, _CLONE3, _refuse(errno.ENOSYS)),
            *(
                step
                for number in machine.refused
                for step in _when(_EQUAL, number, _refuse(errno.EPERM))
            ),
            *_unless(_EQUAL, machine.clone, _skip(4)),
            _step(_LOAD, _FIRST_ARGUMENT),
            *_when(_ANY_BIT, _CLONE_THREAD, _allow()),
            _refuse(errno.EPERM),
            *_unless(_EQUAL, machine.socket, _allow()),
            _step(_LOAD, _FIRST_ARGUMENT),
            *(step for family in known for step in _when(_EQUAL, family, _allow())),
            _refuse(errno.EACCES),
        ]
    )


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _allow() -> bytes:
    return _step(_RETURN, _ALLOW)


def _refuse(number: int) -> bytes:
    return _step(_RETURN, _ERRNO | number)


def _skip(count: int) -> bytes:
    return _step(_JUMP, count)


def _when(test: int, value: int, then: bytes) -> tuple[bytes, bytes]:
    """Do one step if the test holds."""
    return _step(test, value, 0, 1), then


def _unless(test: int, value: int, then: bytes) -> tuple[bytes, bytes]:
    return _step(test, value, 1, 0), then
