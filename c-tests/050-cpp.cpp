// The C++ wrapper: owners, views, functions as callbacks, exceptions.
#include "test.h"

#include <rkafka.hpp>

#include <string>
#include <vector>

using namespace std::chrono_literals;

static void produces_and_reports() {
    std::vector<std::string> seen;
    int with_headers = 0;
    rkafka::Conf conf;
    conf.set("test.mock.num.brokers", "1").set("linger.ms", "5");
    CHECK(conf.get("linger.ms") == "5");
    conf.on_delivery([&](const rkafka::Message &m) {
        CHECK_OK(m.error());
        CHECK(m.topic() == "cpp" && m.offset() >= 0 && m.status() == RK_MSG_STATUS_PERSISTED);
        seen.emplace_back(m.payload());
        rkafka::Headers h = m.headers();
        if (h.count()) {
            CHECK(h.at(0).first == "name" && h.at(0).second == "value" && !h.at(1).second);
            with_headers++;
        }
    });
    rkafka::Producer producer(std::move(conf));
    rkafka::Topic topic = producer.topic("cpp");
    CHECK(topic.name() == "cpp" && !producer.name().empty());
    CHECK_OK(topic.produce(rkafka::Record("one").key("k").partition(1)));
    CHECK_OK(topic.produce(rkafka::Record().key("k").partition(1)));
    rkafka::Headers headers;
    headers.add("name", "value").add("null", std::nullopt);
    rkafka::Headers copy = headers;
    CHECK_OK(topic.produce(rkafka::Record(std::string("three")).partition(1).timestamp(5ms), std::move(headers)));
    CHECK(copy.count() == 2);
    const rk_header_t array[] = {{"name", 4, "value", 5}, {"null", 4, nullptr, 0}};
    CHECK_OK(topic.produce(rkafka::Record("array").partition(1), array, 2));
    CHECK_OK(producer.produce("cpp", rkafka::Record("four").partition(1).block()));
    CHECK_ERR(producer.produce("not legal", rkafka::Record("x")), RK_RESP_ERR__INVALID_ARG);
    CHECK_OK(producer.flush(20s));
    CHECK((seen == std::vector<std::string>{"one", "", "three", "array", "four"}));
    CHECK_INT(with_headers, 2);
    CHECK_INT(producer.len(), 0);
}

static void throws_what_went_wrong() {
    try {
        rkafka::Conf().set("lingr.ms", "1");
        CHECK(!"thrown");
    } catch (const rkafka::Error &e) {
        CHECK(e.code() == RK_RESP_ERR__INVALID_ARG && strstr(e.what(), "linger.ms"));
    }
    try {
        rkafka::Conf conf;
        conf.set("bootstrap.servers", "localhost:1").set("linger.ms", "10000").set("message.timeout.ms", "100");
        rkafka::Producer producer(std::move(conf));
        CHECK(!"thrown");
    } catch (const std::exception &e) {
        CHECK(strlen(e.what()) > 0);
    }
}

// An exception from a callback comes out of the flush that ran it, and the other reports are still served.
static void callbacks_may_throw() {
    int reports = 0;
    rkafka::Conf conf;
    conf.set("test.mock.num.brokers", "1");
    conf.on_delivery([&](const rkafka::Message &) {
        if (++reports == 1)
            throw std::runtime_error("from the callback");
    });
    rkafka::Producer producer(std::move(conf));
    for (int i = 0; i < 3; i++)
        CHECK_OK(producer.produce("cpp", rkafka::Record("x").partition(0)));
    bool thrown = false;
    try {
        CHECK_OK(producer.flush(20s));
    } catch (const std::runtime_error &e) {
        thrown = strcmp(e.what(), "from the callback") == 0;
    }
    CHECK(thrown);
    CHECK_INT(reports, 3);
}

// The producer that is replaced ends with the reports of what it held.
static void producers_can_be_moved() {
    int first = 0, second = 0;
    auto make = [](int &count, const char *servers) {
        rkafka::Conf conf;
        conf.set("bootstrap.servers", servers).set("log_level", "0");
        conf.on_delivery([&count](const rkafka::Message &m) {
            CHECK(m.error() != RK_RESP_ERR_NO_ERROR);
            count++;
        });
        return rkafka::Producer(std::move(conf));
    };
    rkafka::Producer producer = make(first, "127.0.0.1:1");
    CHECK_OK(producer.produce("cpp", rkafka::Record("x")));
    producer = make(second, "127.0.0.1:2");
    CHECK_INT(first, 1);
    CHECK_OK(producer.produce("cpp", rkafka::Record("x")));
    rkafka::Producer moved = std::move(producer);
    CHECK_INT(producer.len(), 0);
    CHECK_INT(moved.len(), 1);
    CHECK_INT(second, 0);
}

int main() {
    producers_can_be_moved();
    produces_and_reports();
    throws_what_went_wrong();
    callbacks_may_throw();
    return 0;
}
