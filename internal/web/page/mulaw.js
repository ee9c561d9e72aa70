// G.711 mu-law to linear samples, by table.

/** The value of each byte, from -1 to 1 (ITU-T G.711, 16-bit scale). */
const TABLE = Float32Array.from({ length: 256 }, (_, byte) => linear(byte) / 32768);

/** @param {number} byte @returns {number} a 16-bit sample */
export function linear(byte) {
  const u = ~byte & 0xff;
  const size = (((u & 0x0f) << 3) + 0x84 << ((u & 0x70) >> 4)) - 0x84;
  return u & 0x80 ? -size : size;
}

/** @param {Uint8Array} bytes @returns {Float32Array} */
export function decode(bytes) {
  const out = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = TABLE[bytes[i]];
  return out;
}
