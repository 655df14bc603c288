'use strict';

/** Java's hash of keys: 32-bit MurmurHash2 with the seed that Kafka uses. */
function murmur2(data) {
  const M = 0x5bd1e995;
  const { length } = data;
  const whole = length & ~3;
  let h = 0x9747b28c ^ length;
  for (let i = 0; i < whole; i += 4) {
    let k = data[i] | (data[i + 1] << 8) | (data[i + 2] << 16) | (data[i + 3] << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  for (let i = length - 1; i >= whole; i--) h ^= data[i] << ((i - whole) * 8);
  if (whole !== length) h = Math.imul(h, M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/**
 * Java's partition for a message with a key; without one, those that have a leader in turn.
 *
 * As `createPartitioner` it is not called: the library does the same by itself, and quicker. It can be called by
 * partitioners that treat some messages specially.
 */
function DefaultPartitioner() {
  let turn = 0;
  return ({ partitionMetadata, message }) => {
    if (message.partition !== undefined && message.partition !== null) return message.partition;
    if (message.key !== undefined && message.key !== null) {
      return (murmur2(Buffer.from(message.key)) & 0x7fffffff) % partitionMetadata.length;
    }
    const up = partitionMetadata.filter((p) => p.leader >= 0);
    const among = up.length > 0 ? up : partitionMetadata;
    return among[turn++ % among.length].partitionId;
  };
}

module.exports = { DefaultPartitioner, JavaCompatiblePartitioner: DefaultPartitioner, murmur2 };
