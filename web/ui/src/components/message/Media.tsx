import { Anchor, Group, Modal, UnstyledButton } from '@mantine/core';
import { useState } from 'react';
import { texts } from '@/text/texts';
import { isHere, safeLink } from './addresses';
import classes from './Message.module.css';

const useWords = texts({
  en: { image: (index: number) => `Image ${index}`, enlarge: (name: string) => `Enlarge ${name}`, audio: (index: number) => `Recording ${index}`, close: 'Close' },
  de: { image: (index: number) => `Bild ${index}`, enlarge: (name: string) => `${name} vergrößern`, audio: (index: number) => `Aufnahme ${index}`, close: 'Schließen' },
});

/** An image or a recording, as OpenAI's content parts have them. */
export type MediaPart =
  | { type: 'image_url'; image_url: { url: string } }
  | { type: 'input_audio'; input_audio: { data: string; format: string } };

/** The images and recordings of a message: images can be enlarged, recordings played. */
export function Media({ parts }: { parts: readonly MediaPart[] }) {
  const say = useWords();
  if (parts.length === 0) return null;
  return (
    <Group gap="sm" align="flex-start">
      {parts.map((part, index) =>
        part.type === 'image_url' ? (
          <Picture key={index} address={part.image_url.url} name={say.image(index + 1)} />
        ) : (
          <audio key={index} controls preload="metadata" aria-label={say.audio(index + 1)} src={audioAddress(part.input_audio)} style={{ maxWidth: '100%' }} />
        ),
      )}
    </Group>
  );
}

function audioAddress({ data, format }: { data: string; format: string }): string {
  return data.startsWith('data:') ? data : `data:audio/${format === 'mp3' ? 'mpeg' : format};base64,${data}`;
}

function Picture({ address, name }: { address: string; name: string }) {
  const say = useWords();
  const [isLarge, setLarge] = useState(false);
  if (!isHere(address, location.origin)) {
    const link = safeLink(address);
    return link === '' ? (
      <span>{name}</span>
    ) : (
      <Anchor href={link} target="_blank" rel="noopener noreferrer nofollow" className="breakable">
        {name}: {link}
      </Anchor>
    );
  }
  return (
    <>
      <UnstyledButton className={classes.thumbnail} aria-label={say.enlarge(name)} onClick={() => setLarge(true)}>
        <img src={address} alt={name} />
      </UnstyledButton>
      <Modal opened={isLarge} onClose={() => setLarge(false)} title={name} size="auto" centered closeButtonProps={{ 'aria-label': say.close }}>
        <img src={address} alt={name} style={{ display: 'block', maxWidth: '100%', minWidth: 'min(20rem, 70vw)', maxHeight: '78vh', objectFit: 'contain', imageRendering: 'auto' }} />
      </Modal>
    </>
  );
}
