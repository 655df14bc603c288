'use strict';

const native = require('./native');

/**
 * Error codes by name, as the library has them: negative ones are local, the others come from brokers.
 */
const codes = {};
for (let code = native.ERR_BEGIN; code < native.ERR_END_ALL; code++) {
  const name = native.err2name(code);
  if (name && !/^ERR_|\?/.test(name)) codes[`ERR_${name}`] = code;
}
codes.ERR__BEGIN = native.ERR_BEGIN;
codes.ERR__END = -100;

const originOf = (code) => (code < 0 ? 'local' : 'kafka');

/**
 * An error of the library. `code` and `errno` are the number in CODES.ERRORS; `origin` is "local", "kafka" (the broker
 * said so) or "unknown". Made of a code, of an object with message and code, or of another Error.
 */
function LibrdKafkaError(e) {
  if (!new.target) return new LibrdKafkaError(e);
  if (e instanceof LibrdKafkaError) return e;
  if (typeof e === 'number') {
    this.message = native.err2str(e);
    this.code = e;
    this.origin = originOf(e);
  } else if (typeof e.code === 'number') {
    this.message = e.message;
    this.code = e.code;
    this.origin = originOf(e.code);
  } else {
    const [origin, text] = String(e.message).split(/: (.*)/s);
    this.message = text === undefined ? origin : text;
    this.code = codes.ERR_UNKNOWN;
    this.origin = text === undefined ? 'unknown' : origin.toLowerCase();
  }
  this.errno = this.code;
  Error.captureStackTrace(this, LibrdKafkaError);
  for (const flag of ['isFatal', 'isRetriable', 'isTxnRequiresAbort']) {
    if (e[flag] !== undefined) this[flag] = e[flag];
  }
}

Object.setPrototypeOf(LibrdKafkaError.prototype, Error.prototype);
Object.setPrototypeOf(LibrdKafkaError, Error);
Object.defineProperty(LibrdKafkaError.prototype, 'name', { value: 'LibrdKafkaError', configurable: true, writable: true });

LibrdKafkaError.codes = codes;
LibrdKafkaError.create = (e) => new LibrdKafkaError(e);

/** Throws for an error code; returns true, or with `intIsError` the value itself if it is no number. */
LibrdKafkaError.wrap = (code, intIsError) => {
  const error = intIsError && typeof code !== 'number' ? codes.ERR_NO_ERROR : code;
  if (error !== codes.ERR_NO_ERROR) throw LibrdKafkaError.create(error);
  return intIsError ? code : true;
};

module.exports = LibrdKafkaError;
