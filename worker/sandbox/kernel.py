"""The kernel's calls for giving up rights. Each holds for the calling thread and those it starts.

All raise `OSError` where the kernel does not have it or does not allow it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct

from .landlock import KNOWN_ABI, Grant, Layer, handled, usable

_LIBC = ctypes.CDLL(None, use_errno=True)
# linux/prctl.h
_CAPBSET_DROP, _SET_NO_NEW_PRIVS, _CAP_AMBIENT = 24, 38, 47
_AMBIENT_CLEAR_ALL = 4
# linux/seccomp.h. Without the flag kernels before 5.16 turn speculative stores off for the process,
# which costs computing some percent and guards secrets that a worker does not have.
_SET_FILTER, _SPECULATE = 1, 4
# linux/capability.h: the version whose sets have 64 bits.
_CAPABILITY_VERSION = 0x20080522
_MOST_CAPABILITIES = 64
# The same numbers on all processors.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
# TCP. Scopes: abstract Unix sockets and signals.
_BIND, _CONNECT, _NET_SINCE = 1, 2, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6


def no_new_privileges() -> None:
    """No program run from here on gains rights by its owner or its file."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Root without capabilities is a user with a famous number."""
    with contextlib.suppress(OSError):
        # Absent before Linux 4.3.
        _prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    with contextlib.suppress(OSError):
        # Until the first that the kernel does not know, or that we may not drop.
        for number in range(_MOST_CAPABILITIES):
            _prctl(_CAPBSET_DROP, number)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _call(_LIBC.capset(header, bytes(24)))


def filter_calls(seccomp: int, program: bytes) -> None:
    """Have the kernel run this program on each system call; needs `no_new_privileges` before.
    `seccomp` is the number of the call that asks for it."""
    steps = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))

    held = Program(len(program) // 8, ctypes.addressof(steps))
    _call(_syscall(seccomp, _SET_FILTER, _SPECULATE, ctypes.addressof(held)))


def landlock_abi() -> int:
    """The version of Landlock that this kernel has."""
    return int(_call(_syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)))


def restrict(layer: Layer, *, connects: bool) -> None:
    """One layer more: what it does not grant is refused, TCP too, unless it `connects`. Paths that
    are not there are left out."""
    abi = min(landlock_abi(), KNOWN_ABI)
    ruleset = _create_ruleset(abi, connects=connects)
    try:
        for grant in layer:
            _add(ruleset, grant, abi)
        _call(_syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _create_ruleset(abi: int, *, connects: bool) -> int:
    words = [int(handled(abi))]
    if abi >= _NET_SINCE:
        words.append(_BIND if connects else _BIND | _CONNECT)
    if abi >= _SCOPES_SINCE:
        words.append(_SCOPES)
    attributes = struct.pack(f"={len(words)}Q", *words)
    return int(_call(_syscall(_CREATE_RULESET, attributes, len(attributes), 0)))


def _add(ruleset: int, grant: Grant, abi: int) -> None:
    try:
        handle = os.open(grant.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # Not there, or out of reach already: nothing to grant.
        return
    try:
        rights = usable(grant, abi, is_folder=_is_folder(handle))
        rule = struct.pack("=Qi", rights, handle)
        _call(_syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(handle)


def _is_folder(handle: int) -> bool:
    return stat.S_ISDIR(os.fstat(handle).st_mode)


def _prctl(option: int, *values: int) -> None:
    filled = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _call(_LIBC.prctl(option, *filled))


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    plain = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(_LIBC.syscall(ctypes.c_long(number), *plain))


def _call(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
