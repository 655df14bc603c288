/*
 * rkafka for C++17: owners instead of handles, string_view instead of pointer and length, std::function instead of
 * callbacks with an opaque pointer. Header only, over rkafka.h, which documents what the calls do.
 *
 * Setting up throws rkafka::Error (a std::runtime_error with a code); producing and polling return codes. An exception
 * that leaves a callback given here is caught, kept, and thrown by the poll or flush that ran the callback.
 */
#ifndef RKAFKA_HPP
#define RKAFKA_HPP

#include "rkafka.h"

#include <chrono>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rkafka {

/** An error code with its text. */
class Error : public std::runtime_error {
public:
    explicit Error(rk_resp_err_t code) : std::runtime_error(rk_err2str(code)), code_(code) {}
    Error(rk_resp_err_t code, const std::string &text) : std::runtime_error(text), code_(code) {}
    rk_resp_err_t code() const noexcept { return code_; }

private:
    rk_resp_err_t code_;
};

namespace detail {
template <typename T, void (*Destroy)(T *)> struct Destroyer {
    void operator()(T *handle) const noexcept { Destroy(handle); }
};
template <typename T, void (*Destroy)(T *)> using Owner = std::unique_ptr<T, Destroyer<T, Destroy>>;

inline int milliseconds(std::chrono::milliseconds t) {
    return t.count() > 0x7fffffff ? 0x7fffffff : static_cast<int>(t.count());
}

inline std::optional<std::string_view> view(const void *bytes, size_t len) {
    if (!bytes)
        return std::nullopt;
    return std::string_view(static_cast<const char *>(bytes), len);
}
} // namespace detail

/** A list of headers. */
class Headers {
public:
    explicit Headers(size_t initial_count = 0) : handle_(rk_headers_new(initial_count)) {}
    Headers(const Headers &other) : handle_(rk_headers_copy(other.get())) {}
    Headers(Headers &&) noexcept = default;
    Headers &operator=(Headers other) noexcept {
        handle_ = std::move(other.handle_);
        return *this;
    }

    Headers &add(std::string_view name, std::optional<std::string_view> value) {
        rk_resp_err_t err = rk_headers_add(get(), name.data() ? name.data() : "", name.size(),
                                           value ? (value->data() ? value->data() : "") : nullptr,
                                           value ? value->size() : 0);
        if (err)
            throw Error(err);
        return *this;
    }
    size_t count() const noexcept { return rk_headers_count(get()); }
    /** Name and value of header number `index`; valid until the list changes. */
    std::pair<std::string_view, std::optional<std::string_view>> at(size_t index) const {
        const char *name = nullptr;
        const void *value = nullptr;
        size_t name_len = 0, value_len = 0;
        rk_resp_err_t err = rk_headers_get(get(), index, &name, &name_len, &value, &value_len);
        if (err)
            throw Error(err);
        return {std::string_view(name, name_len), detail::view(value, value_len)};
    }
    rk_headers_t *get() const noexcept { return handle_.get(); }
    rk_headers_t *release() noexcept { return handle_.release(); }

private:
    friend class Message;
    explicit Headers(rk_headers_t *handle) : handle_(handle) {}
    detail::Owner<rk_headers_t, rk_headers_destroy> handle_;
};

/** A delivery report: a view that is valid within the callback. */
class Message {
public:
    explicit Message(const rk_message_t &m) : m_(&m) {}
    rk_resp_err_t error() const noexcept { return m_->err; }
    std::string_view topic() const { return m_->topic; }
    int32_t partition() const noexcept { return m_->partition; }
    int64_t offset() const noexcept { return m_->offset; }
    std::chrono::milliseconds timestamp() const noexcept { return std::chrono::milliseconds(m_->timestamp_ms); }
    std::chrono::microseconds latency() const noexcept { return std::chrono::microseconds(m_->latency_us); }
    /** The value; empty for a tombstone too, see has_payload. */
    std::string_view payload() const { return detail::view(m_->payload, m_->len).value_or(std::string_view()); }
    bool has_payload() const noexcept { return m_->payload != nullptr; }
    std::optional<std::string_view> key() const { return detail::view(m_->key, m_->key_len); }
    void *opaque() const noexcept { return m_->opaque; }
    int status() const noexcept { return m_->status; }
    /** A copy of its headers. */
    Headers headers() const {
        rk_headers_t *found = nullptr;
        return rk_message_headers(m_, &found) == RK_RESP_ERR_NO_ERROR ? Headers(found) : Headers();
    }
    const rk_message_t &raw() const noexcept { return *m_; }

private:
    const rk_message_t *m_;
};

/** What to produce. Views: they need to live until produce returns. */
class Record {
public:
    Record() = default; /* a tombstone */
    Record(std::string_view payload) : payload_(pointer(payload)), len_(payload.size()) {}
    Record(const char *payload) : Record(std::string_view(payload)) {}
    Record(const std::string &payload) : Record(std::string_view(payload)) {}
    Record &key(std::string_view k) { return key_ = pointer(k), key_len_ = k.size(), *this; }
    Record &partition(int32_t p) { return partition_ = p, *this; }
    Record &timestamp(std::chrono::milliseconds t) { return timestamp_ms_ = t.count(), *this; }
    Record &opaque(void *o) { return opaque_ = o, *this; }
    /** Wait while the queue is full. */
    Record &block(bool on = true) { return flags_ = on ? RK_MSG_F_BLOCK : 0, *this; }

private:
    friend class Topic;
    friend class Producer;
    const void *payload() const { return payload_; }
    const void *key() const { return key_; }
    size_t len() const { return len_; }
    size_t key_len() const { return key_len_; }
    /* An empty view is an empty value, not none. */
    static const void *pointer(std::string_view v) { return v.data() ? v.data() : ""; }
    const void *payload_ = nullptr, *key_ = nullptr;
    size_t len_ = 0, key_len_ = 0;
    int32_t partition_ = RK_PARTITION_UA;
    int64_t timestamp_ms_ = 0;
    void *opaque_ = nullptr;
    int flags_ = 0;
};

/** Properties and callbacks. */
class Conf {
public:
    Conf() : handle_(rk_conf_new()), callbacks_(std::make_unique<Callbacks>()) {}

    Conf &set(const std::string &name, const std::string &value) {
        char why[512] = "";
        if (rk_conf_set(get(), name.c_str(), value.c_str(), why, sizeof why) != RK_CONF_OK)
            throw Error(RK_RESP_ERR__INVALID_ARG, why);
        return *this;
    }
    std::string get(const std::string &name) const {
        size_t size = 0;
        if (rk_conf_get(get(), name.c_str(), nullptr, &size) != RK_CONF_OK)
            throw Error(RK_RESP_ERR__INVALID_ARG, "no such property: " + name);
        std::string value(size, '\0');
        rk_conf_get(get(), name.c_str(), value.data(), &size);
        value.resize(std::strlen(value.c_str()));
        return value;
    }
    Conf &on_delivery(std::function<void(const Message &)> f) { return callbacks_->delivery = std::move(f), *this; }
    Conf &on_error(std::function<void(rk_resp_err_t, std::string_view)> f) {
        return callbacks_->error = std::move(f), *this;
    }
    Conf &on_stats(std::function<void(std::string_view)> f) { return callbacks_->stats = std::move(f), *this; }
    rk_conf_t *get() const noexcept { return handle_.get(); }

private:
    friend class Producer;
    struct Callbacks {
        std::function<void(const Message &)> delivery;
        std::function<void(rk_resp_err_t, std::string_view)> error;
        std::function<void(std::string_view)> stats;
        std::exception_ptr thrown;

        template <typename F> void run(F f) noexcept {
            try {
                f();
            } catch (...) {
                if (!thrown)
                    thrown = std::current_exception();
            }
        }
        void rethrow() {
            if (thrown)
                std::rethrow_exception(std::exchange(thrown, nullptr));
        }
    };
    detail::Owner<rk_conf_t, rk_conf_destroy> handle_;
    std::unique_ptr<Callbacks> callbacks_;
};

/** A topic of a producer, for hot loops. */
class Topic {
public:
    /** Accepts the message or says why not; never allocates. */
    [[nodiscard]] rk_resp_err_t produce(const Record &r) noexcept {
        return rk_topic_produce(get(), r.partition_, r.flags_, r.payload(), r.len(), r.key(), r.key_len(),
                                r.timestamp_ms_, r.opaque_);
    }
    /** The headers are used up if the message is accepted. */
    [[nodiscard]] rk_resp_err_t produce(const Record &r, Headers &&headers) noexcept {
        rk_resp_err_t err = rk_topic_produce_headers(get(), r.partition_, r.flags_, r.payload(), r.len(), r.key(),
                                                     r.key_len(), headers.get(), r.timestamp_ms_, r.opaque_);
        if (err == RK_RESP_ERR_NO_ERROR)
            headers.release();
        return err;
    }
    /** With an array of headers, which are copied. */
    [[nodiscard]] rk_resp_err_t produce(const Record &r, const rk_header_t *headers, size_t count) noexcept {
        return rk_topic_produce_header_array(get(), r.partition_, r.flags_, r.payload(), r.len(), r.key(), r.key_len(),
                                             headers, count, r.timestamp_ms_, r.opaque_);
    }
    std::string_view name() const { return rk_topic_name(get()); }
    rk_topic_t *get() const noexcept { return handle_.get(); }

private:
    friend class Producer;
    explicit Topic(rk_topic_t *handle) : handle_(handle) {}
    detail::Owner<rk_topic_t, rk_topic_destroy> handle_;
};

/** A producer. Its end gives up what is still queued, after serving the reports: flush before. */
class Producer {
public:
    explicit Producer(Conf conf) : callbacks_(std::move(conf.callbacks_)) {
        rk_conf_set_opaque(conf.get(), callbacks_.get());
        if (callbacks_->delivery)
            rk_conf_set_dr_msg_cb(conf.get(), [](rk_producer_t *, const rk_message_t *m, void *opaque) {
                auto *c = static_cast<Conf::Callbacks *>(opaque);
                c->run([&] { c->delivery(Message(*m)); });
            });
        if (callbacks_->error)
            rk_conf_set_error_cb(conf.get(), [](rk_producer_t *, rk_resp_err_t err, const char *why, void *opaque) {
                auto *c = static_cast<Conf::Callbacks *>(opaque);
                c->run([&] { c->error(err, why); });
            });
        if (callbacks_->stats)
            rk_conf_set_stats_cb(conf.get(), [](rk_producer_t *, const char *json, size_t len, void *opaque) {
                auto *c = static_cast<Conf::Callbacks *>(opaque);
                c->run([&] { c->stats(std::string_view(json, len)); });
            });
        char why[512] = "";
        handle_.reset(rk_producer_new(conf.get(), why, sizeof why));
        if (!handle_)
            throw Error(RK_RESP_ERR__INVALID_ARG, why);
        conf.handle_.release();
    }
    Producer(Producer &&) noexcept = default;
    /** The old producer ends first, while its callbacks are still there. */
    Producer &operator=(Producer &&other) noexcept {
        handle_ = std::move(other.handle_);
        callbacks_ = std::move(other.callbacks_);
        return *this;
    }

    Topic topic(const std::string &name) {
        rk_topic_t *t = rk_producer_topic(get(), name.c_str());
        if (!t)
            throw Error(RK_RESP_ERR__INVALID_ARG, "not a topic name: " + name);
        return Topic(t);
    }
    [[nodiscard]] rk_resp_err_t produce(const std::string &topic, const Record &r) noexcept {
        return rk_producer_produce(get(), topic.c_str(), r.partition_, r.flags_, r.payload(), r.len(), r.key(),
                                   r.key_len(), r.timestamp_ms_, r.opaque_);
    }
    /** Events served, or a negative code. One thread at a time if callbacks may throw. */
    int poll(std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        int served = rk_producer_poll(get(), detail::milliseconds(timeout));
        callbacks_->rethrow();
        return served;
    }
    rk_resp_err_t flush(std::chrono::milliseconds timeout) {
        rk_resp_err_t err = rk_producer_flush(get(), detail::milliseconds(timeout));
        callbacks_->rethrow();
        return err;
    }
    rk_resp_err_t purge(int flags = RK_PURGE_F_QUEUE | RK_PURGE_F_INFLIGHT) { return rk_producer_purge(get(), flags); }
    int len() const noexcept { return rk_producer_len(get()); }
    std::string_view name() const { return rk_producer_name(get()); }
    rk_producer_t *get() const noexcept { return handle_.get(); }

private:
    std::unique_ptr<Conf::Callbacks> callbacks_; /* outlives the producer, whose end calls it */
    detail::Owner<rk_producer_t, rk_producer_destroy> handle_;
};

} // namespace rkafka

#endif
