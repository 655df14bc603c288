'use strict';

// The addon with the library beside it, prebuilt for this platform.

const path = require('path');

const file = path.join(__dirname, '..', 'prebuilds', `${process.platform}-${process.arch}`, 'rkafka.node');

try {
  module.exports = require(file);
} catch (e) {
  e.message = `rkafka: cannot load the addon for ${process.platform}-${process.arch}: ${e.message}`;
  throw e;
}
