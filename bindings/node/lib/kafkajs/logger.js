'use strict';

const LEVELS = { NOTHING: 0, ERROR: 1, WARN: 2, INFO: 4, DEBUG: 5 };
const LABELS = Object.fromEntries(Object.entries(LEVELS).map(([label, level]) => [level, label]));

/** One line of JSON per entry, as KafkaJS does. */
const consoleLogCreator = () => ({ namespace, level, label, log }) => {
  const line = JSON.stringify({ level: label, ...log, message: namespace ? `[${namespace}] ${log.message}` : log.message });
  if (level === LEVELS.ERROR) console.error(line);
  else if (level === LEVELS.WARN) console.warn(line);
  else console.log(line);
};

/** A logger with error, warn, info, debug (message, extra), namespace(name, level) and setLogLevel(level). */
function createLogger({ level = LEVELS.INFO, logCreator = consoleLogCreator } = {}) {
  const write = logCreator(level);
  const make = (namespace, own) => {
    let limit = own;
    const at = (entryLevel) => (message, extra = {}) => {
      if (entryLevel > limit) return;
      write({
        namespace,
        level: entryLevel,
        label: LABELS[entryLevel],
        log: { timestamp: new Date().toISOString(), logger: 'rkafka', message, ...extra },
      });
    };
    return {
      namespace: (name, sub = limit) => make(namespace ? `${namespace}.${name}` : name, sub),
      setLogLevel: (value) => {
        limit = value;
      },
      error: at(LEVELS.ERROR),
      warn: at(LEVELS.WARN),
      info: at(LEVELS.INFO),
      debug: at(LEVELS.DEBUG),
    };
  };
  return make('', level);
}

/** The method of a logger for a severity of syslog. */
const methodOf = (severity) => (severity <= 3 ? 'error' : severity === 4 ? 'warn' : severity <= 6 ? 'info' : 'debug');

module.exports = { LEVELS, createLogger, methodOf };
