"""Two producers behind one interface: rkafka, and the librdkafka that confluent-kafka brings along.

Both are driven through their C APIs: confluent-kafka for Python does not hand out what librdkafka knows about a message's
persistence, nor an error's `txn_requires_abort`.
"""

import ctypes
from ctypes import (CDLL, CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32,
                    c_uint64, c_void_p, create_string_buffer)
from dataclasses import dataclass

NAME_OF_STATUS = {0: "not persisted", 1: "possibly persisted", 2: "persisted"}
FATAL = -150
NO_OFFSET = -1001
COPY = 2


class _RkMessage(Structure):
    _fields_ = [("err", c_int), ("topic", c_char_p), ("partition", c_int32), ("payload", c_void_p), ("len", c_size_t),
                ("key", c_void_p), ("key_len", c_size_t), ("offset", c_int64), ("timestamp_ms", c_int64),
                ("opaque", c_void_p), ("latency_us", c_int64), ("status", c_int32), ("_headers_len", c_uint32),
                ("_headers", c_void_p), ("_reserved", c_uint64 * 3)]


class _RdMessage(Structure):
    _fields_ = [("err", c_int), ("rkt", c_void_p), ("partition", c_int32), ("payload", c_void_p), ("len", c_size_t),
                ("key", c_void_p), ("key_len", c_size_t), ("offset", c_int64), ("opaque", c_void_p)]


_ERROR_CB = CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)


@dataclass(frozen=True)
class Report:
    tag: int
    partition: int
    code: str
    status: str
    offset: int | None


class RkLibrary:
    """rkafka, from the file given."""
    name = "rkafka"
    message = _RkMessage
    prefix, of_producer, transactions, handle = "rk_", "rk_producer_", "rk_producer_", "rk_producer_new"

    def __init__(self, path):
        self.c = CDLL(path)
        self.version = _text(self.c.rk_version_str)
        _declare(self)
        self.c.rk_producer_produce.restype = c_int
        self.c.rk_producer_produce.argtypes = [c_void_p, c_char_p, c_int32, c_int, c_char_p, c_size_t, c_char_p, c_size_t,
                                               c_int64, c_void_p]

    def new(self, conf, errstr):
        return self.fn("rk_producer_new", c_void_p, c_void_p, c_char_p, c_size_t)(conf, errstr, len(errstr))

    def produce(self, handle, topics, topic, partition, value, tag):
        return self.c.rk_producer_produce(handle, topic.encode(), partition, COPY, value, len(value or b""), None, 0, 0, tag)

    def status(self, message):
        return message.contents.status

    def quiet(self, conf):
        pass  # log_level=0 is enough

    def destroy(self, handle, topics):
        self.fn("rk_producer_destroy", None, c_void_p)(handle)


class RdLibrary:
    """librdkafka, as confluent-kafka has loaded it into this process."""
    name = "librdkafka"
    message = _RdMessage
    prefix, of_producer, transactions = "rd_kafka_", "rd_kafka_", "rd_kafka_"

    def __init__(self):
        import confluent_kafka
        with open("/proc/self/maps", encoding="utf-8") as maps:
            path = next((line.split()[-1] for line in maps if "librdkafka" in line), None)
        if path is None:
            raise RuntimeError("confluent-kafka has loaded no shared librdkafka")
        self.c = CDLL(path)
        self.version = confluent_kafka.libversion()[0]
        _declare(self)
        self.c.rd_kafka_message_status.restype = c_int
        self.c.rd_kafka_message_status.argtypes = [c_void_p]
        self.c.rd_kafka_topic_new.restype = c_void_p
        self.c.rd_kafka_topic_new.argtypes = [c_void_p, c_char_p, c_void_p]
        self.c.rd_kafka_produce.restype = c_int
        self.c.rd_kafka_produce.argtypes = [c_void_p, c_int32, c_int, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p]

    def new(self, conf, errstr):
        return self.fn("rd_kafka_new", c_void_p, c_int, c_void_p, c_char_p, c_size_t)(0, conf, errstr, len(errstr))

    def produce(self, handle, topics, topic, partition, value, tag):
        if topic not in topics:
            topics[topic] = self.c.rd_kafka_topic_new(handle, topic.encode(), None)
        if not topics[topic]:
            return self.c.rd_kafka_last_error()
        done = self.c.rd_kafka_produce(topics[topic], partition, COPY, value, len(value or b""), None, 0, tag)
        return 0 if done == 0 else self.c.rd_kafka_last_error()

    def status(self, message):
        return self.c.rd_kafka_message_status(message)

    def quiet(self, conf):
        # A fatal error is logged at level 0.
        self.fn("rd_kafka_conf_set_log_cb", None, c_void_p, c_void_p)(conf, None)

    def destroy(self, handle, topics):
        for topic in topics.values():
            if topic:
                self.fn("rd_kafka_topic_destroy", None, c_void_p)(topic)
        self.fn("rd_kafka_destroy", None, c_void_p)(handle)


def _text(function):
    function.restype = c_char_p
    return function().decode()


def _declare(lib):
    """What both have, under names that differ by their prefix alone."""
    def fn(name, restype, *argtypes):
        # A function object of its own for every call: setting the types of a shared one is no business of many threads.
        return CFUNCTYPE(restype, *argtypes)((name, lib.c))

    lib.fn = fn
    p, of = lib.prefix, lib.of_producer
    lib.name_of_code = fn(p + "err2name", c_char_p, c_int)
    lib.conf_new = fn(p + "conf_new", c_void_p)
    lib.conf_set = fn(p + "conf_set", c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)
    lib.conf_destroy = fn(p + "conf_destroy", None, c_void_p)
    lib.report_cb_type = CFUNCTYPE(None, c_void_p, POINTER(lib.message), c_void_p)
    lib.set_report_cb = fn(p + "conf_set_dr_msg_cb", None, c_void_p, lib.report_cb_type)
    lib.set_error_cb = fn(p + "conf_set_error_cb", None, c_void_p, _ERROR_CB)
    lib.poll = fn(of + "poll", c_int, c_void_p, c_int)
    lib.flush = fn(of + "flush", c_int, c_void_p, c_int)
    lib.purge = fn(of + "purge", c_int, c_void_p, c_int)
    lib.fatal_error = fn(of + "fatal_error", c_int, c_void_p, c_char_p, c_size_t)
    lib.length = fn(p + "outq_len" if p == "rd_kafka_" else of + "len", c_int, c_void_p)


class ConfRefused(Exception):
    """The library does not take this configuration."""


class Client:
    """A producer, and everything it has reported. For one thread."""

    def __init__(self, lib, settings):
        self.lib, self.reports, self.errors, self.topics, self.tags = lib, [], [], {}, 0
        errstr = create_string_buffer(512)
        conf = lib.conf_new()
        for name, value in settings.items():
            if lib.conf_set(conf, name.encode(), str(value).encode(), errstr, len(errstr)) != 0:
                lib.conf_destroy(conf)
                raise ConfRefused(name)
        # They must live as long as the handle.
        self.callbacks = (lib.report_cb_type(self._report), _ERROR_CB(self._error))
        lib.set_report_cb(conf, self.callbacks[0])
        lib.set_error_cb(conf, self.callbacks[1])
        lib.quiet(conf)
        self.handle = lib.new(conf, errstr)
        if not self.handle:
            lib.conf_destroy(conf)
            raise ConfRefused(errstr.value.decode())

    def close(self):
        if self.handle:
            self.lib.destroy(self.handle, self.topics)
        self.handle = None

    def code(self, number):
        return self.lib.name_of_code(number).decode()

    def _report(self, _, message, __):
        m = message.contents
        self.reports.append(Report((m.opaque or 0) - 1, m.partition, self.code(m.err),
                                   NAME_OF_STATUS[self.lib.status(message)], None if m.offset == NO_OFFSET else m.offset))

    def _error(self, _, err, __, ___):
        # The handle may not be known yet: librdkafka reports from its first moment on, but only when polled.
        if err == FATAL:
            self.errors.append(f"fatal {self.code(self.lib.fatal_error(self.handle, None, 0))}")
        else:
            self.errors.append(self.code(err))

    def produce(self, topic, partition, value):
        """The code's name; every call has its number, from 0 on, which comes back as the report's tag."""
        self.tags += 1
        return self.code(self.lib.produce(self.handle, self.topics, topic, partition, value, self.tags))

    def poll(self, seconds):
        self.lib.poll(self.handle, int(seconds * 1000))

    def flush(self, seconds):
        return self.code(self.lib.flush(self.handle, int(seconds * 1000)))

    def purge(self, flags):
        return self.code(self.lib.purge(self.handle, flags))

    def length(self):
        return self.lib.length(self.handle)

    def fatal(self):
        """The error that ended the producer's use, or None."""
        code = self.lib.fatal_error(self.handle, None, 0)
        return self.code(code) if code else None

    def transaction(self, call, seconds=None):
        """init_transactions, begin_transaction, commit_transaction or abort_transaction: "ok", or the error."""
        name, lib = self.lib.transactions + call, self.lib
        if seconds is None:
            error = lib.fn(name, c_void_p, c_void_p)(self.handle)
        else:
            error = lib.fn(name, c_void_p, c_void_p, c_int)(self.handle, int(seconds * 1000))
        if not error:
            return "ok"
        p = lib.prefix + "error_"
        said = self.code(lib.fn(p + "code", c_int, c_void_p)(error))
        for flag in ("is_fatal", "is_retriable", "txn_requires_abort"):
            if lib.fn(p + flag, c_int, c_void_p)(error):
                said += " " + flag
        lib.fn(p + "destroy", None, c_void_p)(error)
        return said
