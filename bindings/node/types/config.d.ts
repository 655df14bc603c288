// Made by tools/types.js; do not edit.

/** Properties of a client; see CONFIGURATION.md for all there is to say about each. */
export interface GlobalProperties {
  /** What this build can do. */
  'builtin.features'?: string | undefined;
  /** Name of this client in the brokers' logs, quotas and metrics. */
  'client.id'?: string | undefined;
  /** Brokers to find the cluster with. */
  'metadata.broker.list'?: string | undefined;
  /** Alias for `metadata.broker.list`. */
  'bootstrap.servers'?: string | undefined;
  /** Largest produce batch in bytes, as sent. */
  'message.max.bytes'?: number | undefined;
  /** No effect. */
  'message.copy.max.bytes'?: number | undefined;
  /** Largest response in bytes that is read. */
  'receive.message.max.bytes'?: number | undefined;
  /** Requests that may await their answers on one connection. */
  'max.in.flight.requests.per.connection'?: number | undefined;
  /** Alias for `max.in.flight.requests.per.connection`. */
  'max.in.flight'?: number | undefined;
  /** What to do when no known broker can be reached. */
  'metadata.recovery.strategy'?: 'none' | 'rebootstrap' | undefined;
  /** How long metadata must have been asked for in vain until `metadata.recovery.strategy=rebootstrap` forgets the known brokers and finds the cluster anew from `bootstrap.servers`, as it does at once when a broker asks for that (KIP-1102). */
  'metadata.recovery.rebootstrap.trigger.ms'?: number | undefined;
  /** How often metadata of the topics in use is asked for even without a reason, to see new brokers, partitions and leaders. */
  'topic.metadata.refresh.interval.ms'?: number | undefined;
  /** Age after which cached metadata is no longer relied on. */
  'metadata.max.age.ms'?: number | undefined;
  /** First pause between requests for metadata while a partition has no leader or a topic is unknown; doubles up to `retry.backoff.max.ms`. */
  'topic.metadata.refresh.fast.interval.ms'?: number | undefined;
  /** Deprecated. */
  'topic.metadata.refresh.fast.cnt'?: number | undefined;
  /** Ask only for the topics in use instead of all topics of the cluster. */
  'topic.metadata.refresh.sparse'?: boolean | undefined;
  /** How long a topic may be unknown to the brokers, counted from its first use, before its messages fail with `_UNKNOWN_TOPIC`. */
  'topic.metadata.propagation.max.ms'?: number | undefined;
  /** No effect. */
  'topic.blacklist'?: string | undefined;
  /** Contexts whose debug lines are logged, separated by commas. */
  'debug'?: string | undefined;
  /** How long a request may await its answer, where no time of its own applies (`request.timeout.ms` for produce requests). */
  'socket.timeout.ms'?: number | undefined;
  /** Deprecated. */
  'socket.blocking.max.ms'?: number | undefined;
  /** Send buffer of broker sockets (SO_SNDBUF); 0 leaves it to the system. */
  'socket.send.buffer.bytes'?: number | undefined;
  /** Receive buffer of broker sockets (SO_RCVBUF); 0 leaves it to the system. */
  'socket.receive.buffer.bytes'?: number | undefined;
  /** Let the system probe idle connections (SO_KEEPALIVE), so that dead peers are noticed. */
  'socket.keepalive.enable'?: boolean | undefined;
  /** Send at once instead of gathering small packets (TCP_NODELAY). */
  'socket.nagle.disable'?: boolean | undefined;
  /** Requests timed out in a row after which the connection is closed and opened anew; 0 never does. */
  'socket.max.fails'?: number | undefined;
  /** How long, in milliseconds, the addresses of a host name are used before the name is resolved again. */
  'broker.address.ttl'?: number | undefined;
  /** Which addresses of a broker to use. */
  'broker.address.family'?: 'any' | 'v4' | 'v6' | undefined;
  /** How long a connection may take until it can be used. */
  'socket.connection.setup.timeout.ms'?: number | undefined;
  /** Close connections without traffic for this long; 0 leaves them open. */
  'connections.max.idle.ms'?: number | undefined;
  /** Deprecated. */
  'reconnect.backoff.jitter.ms'?: number | undefined;
  /** First pause before connecting again to a broker that could not be reached or was lost; doubles with each failure, with a random spread. */
  'reconnect.backoff.ms'?: number | undefined;
  /** Longest pause before connecting again. */
  'reconnect.backoff.max.ms'?: number | undefined;
  /** How often a statistics event is made (JSON); 0 switches them off. */
  'statistics.interval.ms'?: number | undefined;
  /** No effect. */
  'enabled_events'?: number | undefined;
  /** syslog level up to which lines are logged. */
  'log_level'?: number | undefined;
  /** Keep log lines in the event queue until poll, instead of handing them over from the thread that logs. */
  'log.queue'?: boolean | undefined;
  /** No effect. */
  'log.thread.name'?: boolean | undefined;
  /** No effect. */
  'enable.random.seed'?: boolean | undefined;
  /** Log when a broker closes a connection. */
  'log.connection.close'?: boolean | undefined;
  /** No effect. */
  'internal.termination.signal'?: number | undefined;
  /** Deprecated. */
  'api.version.request'?: boolean | undefined;
  /** How long a broker's answer to ApiVersions is awaited. */
  'api.version.request.timeout.ms'?: number | undefined;
  /** Deprecated. */
  'api.version.fallback.ms'?: number | undefined;
  /** Deprecated. */
  'broker.version.fallback'?: string | undefined;
  /** Let brokers make unknown topics on first use (they must have `auto.create.topics.enable=true`). */
  'allow.auto.create.topics'?: boolean | undefined;
  /** Refused. */
  'plugin.library.paths'?: string | undefined;
  /** No effect. */
  'client.rack'?: string | undefined;
  /** Refused. */
  'client.dns.lookup'?: 'use_all_dns_ips' | 'resolve_canonical_bootstrap_servers_only' | undefined;
  /** No effect. */
  'enable.metrics.push'?: boolean | undefined;
  /** How to talk to brokers. */
  'security.protocol'?: 'plaintext' | 'ssl' | 'sasl_plaintext' | 'sasl_ssl' | undefined;
  /** Cipher suites that TLS may use, by their IANA or OpenSSL names, separated by colons or commas. */
  'ssl.cipher.suites'?: string | undefined;
  /** Groups for TLS key exchange in the order of preference, separated by colons. */
  'ssl.curves.list'?: string | undefined;
  /** Refused. */
  'ssl.sigalgs.list'?: string | undefined;
  /** File of the client's private key (PEM. */
  'ssl.key.location'?: string | undefined;
  /** Password of the client's private key (encrypted PKCS#8). */
  'ssl.key.password'?: string | undefined;
  /** The client's private key itself (PEM). */
  'ssl.key.pem'?: string | undefined;
  /** File of the client's certificate and those that lead to its CA (PEM), read again when it has changed and a connection is made. */
  'ssl.certificate.location'?: string | undefined;
  /** The client's certificate itself (PEM). */
  'ssl.certificate.pem'?: string | undefined;
  /** File or folder of the CA certificates (PEM) that brokers' certificates are checked with. */
  'ssl.ca.location'?: string | undefined;
  /** The same for HTTPS requests to a token endpoint. */
  'https.ca.location'?: string | undefined;
  /** CA certificates for HTTPS requests, themselves (PEM). */
  'https.ca.pem'?: string | undefined;
  /** CA certificates themselves (PEM). */
  'ssl.ca.pem'?: string | undefined;
  /** Refused. */
  'ssl.ca.certificate.stores'?: string | undefined;
  /** File of certificate revocation lists (PEM). */
  'ssl.crl.location'?: string | undefined;
  /** Refused. */
  'ssl.keystore.location'?: string | undefined;
  /** Refused. */
  'ssl.keystore.password'?: string | undefined;
  /** Refused. */
  'ssl.providers'?: string | undefined;
  /** Deprecated. */
  'ssl.engine.location'?: string | undefined;
  /** Refused. */
  'ssl.engine.id'?: string | undefined;
  /** Check brokers' certificates. */
  'enable.ssl.certificate.verification'?: boolean | undefined;
  /** Check that a broker's certificate is for its host name (`https`), or only that a known CA has signed it (`none`). */
  'ssl.endpoint.identification.algorithm'?: 'none' | 'https' | undefined;
  /** SASL mechanism. */
  'sasl.mechanisms'?: string | undefined;
  /** Alias for `sasl.mechanisms`. */
  'sasl.mechanism'?: string | undefined;
  /** Refused. */
  'sasl.kerberos.service.name'?: string | undefined;
  /** Refused. */
  'sasl.kerberos.principal'?: string | undefined;
  /** Refused. */
  'sasl.kerberos.kinit.cmd'?: string | undefined;
  /** Refused. */
  'sasl.kerberos.keytab'?: string | undefined;
  /** Refused. */
  'sasl.kerberos.min.time.before.relogin'?: number | undefined;
  /** User name for PLAIN and SCRAM. */
  'sasl.username'?: string | undefined;
  /** Password for PLAIN and SCRAM. */
  'sasl.password'?: string | undefined;
  /** Settings of unsecured tokens. */
  'sasl.oauthbearer.config'?: string | undefined;
  /** Make unsigned tokens of `sasl.oauthbearer.config`, for tests. */
  'enable.sasl.oauthbearer.unsecure.jwt'?: boolean | undefined;
  /** How tokens are got. */
  'sasl.oauthbearer.method'?: 'default' | 'oidc' | undefined;
  /** Client id at the token endpoint. */
  'sasl.oauthbearer.client.id'?: string | undefined;
  /** Alias for `sasl.oauthbearer.client.id`. */
  'sasl.oauthbearer.client.credentials.client.id'?: string | undefined;
  /** Alias for `sasl.oauthbearer.client.secret`. */
  'sasl.oauthbearer.client.credentials.client.secret'?: string | undefined;
  /** Client secret at the token endpoint. */
  'sasl.oauthbearer.client.secret'?: string | undefined;
  /** Scope asked of the token endpoint. */
  'sasl.oauthbearer.scope'?: string | undefined;
  /** Extensions sent with the token, `key=value` separated by commas. */
  'sasl.oauthbearer.extensions'?: string | undefined;
  /** Address of the token endpoint. */
  'sasl.oauthbearer.token.endpoint.url'?: string | undefined;
  /** Claim that names the principal. */
  'sasl.oauthbearer.sub.claim.name'?: string | undefined;
  /** How the client proves itself to the token endpoint. */
  'sasl.oauthbearer.grant.type'?: 'client_credentials' | 'urn:ietf:params:oauth:grant-type:jwt-bearer' | undefined;
  /** Algorithm that signs the assertion. */
  'sasl.oauthbearer.assertion.algorithm'?: 'RS256' | 'ES256' | undefined;
  /** File of the key that signs the assertion (PEM), read for each. */
  'sasl.oauthbearer.assertion.private.key.file'?: string | undefined;
  /** Password of that key (encrypted PKCS#8). */
  'sasl.oauthbearer.assertion.private.key.passphrase'?: string | undefined;
  /** That key itself (PEM). */
  'sasl.oauthbearer.assertion.private.key.pem'?: string | undefined;
  /** File of an assertion that is ready, read for each token; then none is made. */
  'sasl.oauthbearer.assertion.file'?: string | undefined;
  /** Audience of the assertion (`aud`). */
  'sasl.oauthbearer.assertion.claim.aud'?: string | undefined;
  /** Seconds for which the assertion is valid (`exp`). */
  'sasl.oauthbearer.assertion.claim.exp.seconds'?: number | undefined;
  /** Issuer of the assertion (`iss`). */
  'sasl.oauthbearer.assertion.claim.iss'?: string | undefined;
  /** Give each assertion an id of its own (`jti`). */
  'sasl.oauthbearer.assertion.claim.jti.include'?: boolean | undefined;
  /** Seconds before now from which the assertion is valid (`nbf`). */
  'sasl.oauthbearer.assertion.claim.nbf.seconds'?: number | undefined;
  /** Subject of the assertion (`sub`). */
  'sasl.oauthbearer.assertion.claim.sub'?: string | undefined;
  /** File of a JSON object with the objects `header` and `payload`, to which the assertion adds what the other properties say. */
  'sasl.oauthbearer.assertion.jwt.template.file'?: string | undefined;
  /** Refused. */
  'sasl.oauthbearer.metadata.authentication.type'?: 'none' | 'azure_imds' | 'aws_iam' | undefined;
  /** Identity of a transactional producer; with it, an older instance of the same id is fenced. */
  'transactional.id'?: string | undefined;
  /** How long the coordinator lets a transaction stay open before it aborts it. */
  'transaction.timeout.ms'?: number | undefined;
  /** Let brokers recognise repeated batches, so that each message is in the log once and in order. */
  'enable.idempotence'?: boolean | undefined;
  /** Fail for good when a message of a series could not be delivered. */
  'enable.gapless.guarantee'?: boolean | undefined;
  /** Most messages in the client, of all topics, until their reports are taken; 0 means no limit. */
  'queue.buffering.max.messages'?: number | undefined;
  /** Most kilobytes (of 1024) of messages in the client, of all topics. */
  'queue.buffering.max.kbytes'?: number | undefined;
  /** How long a batch waits for further messages before it is sent. */
  'queue.buffering.max.ms'?: number | undefined;
  /** Alias for `queue.buffering.max.ms`. */
  'linger.ms'?: number | undefined;
  /** How often a message is sent again after an error that may pass. */
  'message.send.max.retries'?: number | undefined;
  /** Alias for `message.send.max.retries`. */
  'retries'?: number | undefined;
  /** Pause before a produce request is sent again; doubles with each attempt up to `retry.backoff.max.ms`, with a random spread. */
  'retry.backoff.ms'?: number | undefined;
  /** Longest pause before sending again. */
  'retry.backoff.max.ms'?: number | undefined;
  /** No effect. */
  'queue.buffering.backpressure.threshold'?: number | undefined;
  /** Codec of the batches. */
  'compression.codec'?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd' | undefined;
  /** Alias for `compression.codec`. */
  'compression.type'?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd' | undefined;
  /** Most messages of a batch. */
  'batch.num.messages'?: number | undefined;
  /** Most bytes of a batch before compression, its framing included. */
  'batch.size'?: number | undefined;
  /** Make delivery reports for failed messages only. */
  'delivery.report.only.error'?: boolean | undefined;
  /** How long messages without a key go to one partition before the next is chosen (KIP-480); 0 chooses one at random for each. */
  'sticky.partitioning.linger.ms'?: number | undefined;
  /** Alias for `queue.buffering.max.kbytes` in bytes, rounded up to kilobytes. */
  'buffer.memory'?: number | undefined;
  /** Alias for `message.max.bytes`. */
  'max.request.size'?: number | undefined;
  /** Alias for `socket.send.buffer.bytes`. */
  'send.buffer.bytes'?: number | undefined;
  /** Alias for `socket.receive.buffer.bytes`. */
  'receive.buffer.bytes'?: number | undefined;
  /** Choose partitions as if no message had a key (KIP-794). */
  'partitioner.ignore.keys'?: boolean | undefined;
  /** Give messages without a key more often to partitions whose queue is short, so that a slow broker gets fewer (KIP-794). */
  'partitioner.adaptive.partitioning.enable'?: boolean | undefined;
  /** Refused. */
  'partitioner.availability.timeout.ms'?: number | undefined;
  /** Name of the software, told to brokers (KIP-511). */
  'client.software.name'?: string | undefined;
  /** Version of the software, told to brokers (KIP-511). */
  'client.software.version'?: string | undefined;
  /** Refused. */
  'enable.sparse.connections'?: boolean | undefined;
  /** Start an embedded cluster of this many brokers and use it instead of `bootstrap.servers`. */
  'test.mock.num.brokers'?: number | undefined;
  /** Delay of the embedded cluster's answers in milliseconds. */
  'test.mock.broker.rtt'?: number | undefined;
}

/** Properties of topics, which are those of all topics of the client. */
export interface TopicProperties {
  /** Whose acknowledgement a batch needs. */
  'request.required.acks'?: number | 'all' | undefined;
  /** Alias for `request.required.acks`. */
  'acks'?: number | 'all' | undefined;
  /** How long a broker may take to gather the acknowledgements that `acks` asks for. */
  'request.timeout.ms'?: number | undefined;
  /** How long a message may take, counted from produce, with all its retries, until it is reported as failed with `_MSG_TIMED_OUT`; 0 means no limit. */
  'message.timeout.ms'?: number | undefined;
  /** Alias for `message.timeout.ms`. */
  'delivery.timeout.ms'?: number | undefined;
  /** Deprecated. */
  'queuing.strategy'?: 'fifo' | 'lifo' | undefined;
  /** Deprecated. */
  'produce.offset.report'?: boolean | undefined;
  /** How a message without an explicit partition gets one. */
  'partitioner'?: 'random' | 'consistent' | 'consistent_random' | 'murmur2' | 'murmur2_random' | 'fnv1a' | 'fnv1a_random' | 'round_robin' | 'uniform_sticky' | undefined;
  /** Codec of this topic's batches; `inherit` takes the client's. */
  'compression.codec'?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd' | 'inherit' | undefined;
  /** Alias for `compression.codec`. */
  'compression.type'?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd' | undefined;
  /** Effort of the codec. */
  'compression.level'?: number | undefined;
  /** Alias for `partitioner` that also knows Java's `RoundRobinPartitioner`, `DefaultPartitioner` and `UniformStickyPartitioner`. */
  'partitioner.class'?: 'random' | 'consistent' | 'consistent_random' | 'murmur2' | 'murmur2_random' | 'fnv1a' | 'fnv1a_random' | 'round_robin' | 'uniform_sticky' | undefined;
}
