// Produces a few messages with headers by the C++ wrapper, and waits for their reports.
#include <rkafka.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

int main() try {
    int delivered = 0;

    rkafka::Conf conf;
    if (const char *bootstrap = std::getenv("BOOTSTRAP"))
        conf.set("bootstrap.servers", bootstrap);
    else
        conf.set("test.mock.num.brokers", "1");
    conf.set("compression.type", "lz4");
    conf.on_delivery([&](const rkafka::Message &m) {
        std::cout << m.topic() << " [" << m.partition() << "] at " << m.offset() << ": " << m.payload() << " ("
                  << (m.error() ? rk_err2str(m.error()) : "delivered") << ")\n";
        delivered += m.error() == RK_RESP_ERR_NO_ERROR;
    });

    rkafka::Producer producer(std::move(conf));
    rkafka::Topic topic = producer.topic("greetings");
    for (int i = 0; i < 5; i++) {
        rkafka::Headers headers;
        headers.add("language", i % 2 ? "fr" : "en");
        std::string key = std::to_string(i);
        rk_resp_err_t err = topic.produce(rkafka::Record(i % 2 ? "bonjour" : "hello").key(key), std::move(headers));
        if (err)
            std::cerr << rk_err2str(err) << "\n";
    }
    producer.flush(std::chrono::seconds(10));
    return delivered == 5 ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << "\n";
    return 1;
}
