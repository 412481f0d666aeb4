"""No reuse."""

from kronk.worker.context import Context
import llama_cpp.llama_cpp as lib


class NoReuse:
    def __init__(self, context, is_recurrent):
        self._context = context
        self.is_recurrent = is_recurrent

    def place(self, job, free, busy):
        slot = free[0]
        self.clear(slot)
        return slot, 0, "off"

    def twin(self, slot, free):
        twin = free[0]
        self.clear(twin)
        lib.llama_memory_seq_cp(self._context._memory, slot.index, twin.index, -1, -1)
        twin.keep(slot.history)
        return twin

    def reached_mark(self, slot):
        pass

    def left(self, slot):
        pass

    def clear(self, slot):
        self._context.forget(slot.index)
        slot.cut(0)
