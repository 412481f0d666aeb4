import type { AudioPart, ImagePart } from '@/chat/thread';
import { wavOf } from './wav';

/** Files as messages have them. What Kronk does not read is converted here, where the browser can. */

export const ACCEPTED = 'image/*,audio/*';
const AS_IT_IS: Readonly<Record<string, string>> = { 'audio/wav': 'wav', 'audio/x-wav': 'wav', 'audio/wave': 'wav', 'audio/mpeg': 'mp3', 'audio/mp3': 'mp3', 'audio/flac': 'flac', 'audio/x-flac': 'flac' };
const IMAGES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/bmp']);
// No model sees more; a photograph of a phone is several times as large.
const LONGEST_SIDE = 2048;
const MOST_BYTES = 10 * 1024 * 1024;
// What models that hear are made for.
const SAMPLE_RATE = 16_000;

export interface Attachment {
  id: string;
  name: string;
  part: ImagePart | AudioPart;
}

/** What is wrong with a file; the words are the page's. */
export class FileRefused extends Error {
  constructor(
    readonly reason: 'kind' | 'unreadable' | 'large',
    readonly file: string,
  ) {
    super(`${file}: ${reason}`);
  }
}

/** Throws FileRefused. */
export async function attachmentOf(file: File): Promise<Attachment> {
  const part = file.type.startsWith('image/') ? await imageOf(file) : file.type.startsWith('audio/') || file.type.startsWith('video/') ? await audioOf(file) : null;
  if (part === null) throw new FileRefused('kind', file.name);
  return { id: crypto.randomUUID(), name: file.name, part };
}

async function imageOf(file: File): Promise<ImagePart> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) throw new FileRefused('unreadable', file.name);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  if (scale === 1 && IMAGES.has(file.type) && file.size <= MOST_BYTES) return { type: 'image_url', image_url: { url: await dataUrl(file) } };
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  // Photographs are much smaller as JPEG; what may be transparent must not be.
  const kind = file.type === 'image/jpeg' || file.type === 'image/heic' ? 'image/jpeg' : 'image/png';
  return { type: 'image_url', image_url: { url: canvas.toDataURL(kind, 0.9) } };
}

async function audioOf(file: File): Promise<AudioPart> {
  const format = AS_IT_IS[file.type];
  if (file.size > 2 * MOST_BYTES) throw new FileRefused('large', file.name);
  if (format !== undefined) return { type: 'input_audio', input_audio: { data: base64Of(await dataUrl(file)), format } };
  const decoder = new OfflineAudioContext(1, 1, SAMPLE_RATE);
  const sound = await decoder.decodeAudioData(await file.arrayBuffer()).catch(() => null);
  if (sound === null) throw new FileRefused('unreadable', file.name);
  const wav = wavOf(Array.from({ length: sound.numberOfChannels }, (_, channel) => sound.getChannelData(channel)), sound.sampleRate);
  if (wav.byteLength > 2 * MOST_BYTES) throw new FileRefused('large', file.name);
  return { type: 'input_audio', input_audio: { data: base64Of(await dataUrl(new Blob([wav], { type: 'audio/wav' }))), format: 'wav' } };
}

function base64Of(url: string): string {
  return url.slice(url.indexOf(',') + 1);
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(new FileRefused('unreadable', ''));
    reader.readAsDataURL(blob);
  });
}
