'use strict';

// Errors under the names that programs for KafkaJS look for.

const native = require('../native');
const { codes } = require('../error');

class KafkaJSError extends Error {
  /** @param {Error|string} e its message, and the cause where it is an Error */
  constructor(e, { retriable = true } = {}) {
    super(e && e.message !== undefined ? e.message : String(e), e instanceof Error ? { cause: e } : undefined);
    this.name = this.constructor.name;
    this.retriable = retriable;
    if (e && typeof e.code === 'number') {
      this.code = e.code;
      this.type = native.err2name(e.code).replace(/^_+/, '');
    }
  }
}

/** It makes no sense to try the same again. */
class KafkaJSNonRetriableError extends KafkaJSError {
  constructor(e) {
    super(e, { retriable: false });
  }
}

/** A broker said so; `type` and `code` are those of the protocol. */
class KafkaJSProtocolError extends KafkaJSNonRetriableError {}

/** No broker can be reached. */
class KafkaJSConnectionError extends KafkaJSError {}

/** The library tried until the time for it was over. */
class KafkaJSRequestTimeoutError extends KafkaJSError {}

const CONNECTION = new Set([codes.ERR__TRANSPORT, codes.ERR__ALL_BROKERS_DOWN, codes.ERR__RESOLVE, codes.ERR__SSL, codes.ERR__AUTHENTICATION]);
const TIMEOUT = new Set([codes.ERR__MSG_TIMED_OUT, codes.ERR__TIMED_OUT, codes.ERR__TIMED_OUT_QUEUE]);
const RETRIABLE = new Set([codes.ERR__QUEUE_FULL, codes.ERR__PURGE_QUEUE]);

/** The error for a code, or for an error of the addon with a code. */
function errorOf(e) {
  const err = typeof e === 'number' ? { message: native.err2str(e), code: e } : e;
  const { code } = err;
  let out;
  if (TIMEOUT.has(code)) out = new KafkaJSRequestTimeoutError(err);
  else if (CONNECTION.has(code)) out = new KafkaJSConnectionError(err);
  else if (code > 0) out = new KafkaJSProtocolError(err);
  else if (RETRIABLE.has(code)) out = new KafkaJSError(err);
  else out = new KafkaJSNonRetriableError(err);
  for (const flag of ['isFatal', 'isRetriable', 'isTxnRequiresAbort']) if (err[flag] !== undefined) out[flag] = err[flag];
  if (err.isRetriable !== undefined) out.retriable = err.isRetriable;
  return out;
}

module.exports = {
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  KafkaJSConnectionError,
  KafkaJSRequestTimeoutError,
  errorOf,
};
