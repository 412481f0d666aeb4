const HEADER = 44;

/** A WAV file of 16 bits and one channel, of channels of samples from -1 to 1. */
export function wavOf(channels: readonly Float32Array[], rate: number): ArrayBuffer {
  const length = channels[0]?.length ?? 0;
  const file = new ArrayBuffer(HEADER + 2 * length);
  const view = new DataView(file);
  const text = (at: number, word: string) => [...word].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, file.byteLength - 8, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, 2 * length, true);
  for (let at = 0; at < length; at++) {
    const mean = channels.reduce((sum, channel) => sum + (channel[at] ?? 0), 0) / channels.length;
    view.setInt16(HEADER + 2 * at, Math.round(Math.max(-1, Math.min(1, mean)) * 32_767), true);
  }
  return file;
}
