import { texts, type Translation } from '@/text/texts';

const en = {
  progress: (title: string) => `Progress: ${title}`,
  states: { queued: 'Waits for its turn', running: 'Running', done: 'Done', failed: 'Failed', cancelled: 'Cancelled' },
  phases: {
    plan: 'Looking it up',
    download: 'Downloading',
    extract: 'Unpacking',
    verify: 'Checking',
    import: 'Copying',
  },
  of: (done: string, total: string) => `${done} of ${total}`,
  left: (time: string) => `${time} left`,
  took: (time: string) => `took ${time}`,
  retry: (time: string, attempts: number) => `Tried again in ${time} (attempt ${attempts} failed).`,
  cancel: (title: string) => `Cancel: ${title}`,
  cancelTitle: 'Cancel this?',
  cancelText: (title: string) => `“${title}” ends. What has been fetched is kept, and the next one for the same goes on from there.`,
  cancelVerb: 'Cancel it',
  goOn: 'Let it go on',
  again: (title: string) => `Try again: ${title}`,
  forget: (title: string) => `Forget: ${title}`,
  remedies: {
    space: 'Make room on the disk (remove models that you do not need), then try again: what has come is kept.',
    refused: 'Accept the repository’s terms on its page, and give the server a token of that account (KRONK_HF_TOKEN).',
    missing: 'Check the spelling; “Fetch a model” in the catalog shows what a repository has.',
    network: 'Check whether the server reaches that address, then try again: it goes on from what has come.',
    digest: 'The file is not what was promised. Try again; if it stays so, its publisher has changed it.',
    conflict: 'Another file is in the way: remove or rename it, then try again.',
  },
};

export const useJobTexts = texts({
  en,
  de: {
    progress: (title) => `Fortschritt: ${title}`,
    states: { queued: 'Wartet, bis es dran ist', running: 'Läuft', done: 'Fertig', failed: 'Gescheitert', cancelled: 'Abgebrochen' },
    phases: {
      plan: 'Wird nachgeschlagen',
      download: 'Lädt herunter',
      extract: 'Packt aus',
      verify: 'Prüft',
      import: 'Kopiert',
    },
    of: (done, total) => `${done} von ${total}`,
    left: (time) => `noch ${time}`,
    took: (time) => `dauerte ${time}`,
    retry: (time, attempts) => `Neuer Versuch in ${time} (Versuch ${attempts} ist gescheitert).`,
    cancel: (title) => `Abbrechen: ${title}`,
    cancelTitle: 'Abbrechen?',
    cancelText: (title) => `„${title}“ endet. Was schon da ist, bleibt, und der nächste Versuch geht von dort weiter.`,
    cancelVerb: 'Abbrechen',
    goOn: 'Weiterlaufen lassen',
    again: (title) => `Noch einmal: ${title}`,
    forget: (title) => `Vergessen: ${title}`,
    remedies: {
      space: 'Mach Platz auf der Platte (entferne Modelle, die du nicht brauchst) und versuch es noch einmal: Was da ist, bleibt.',
      refused: 'Nimm die Bedingungen auf der Seite des Repositorys an, und gib dem Server ein Token dieses Kontos (KRONK_HF_TOKEN).',
      missing: 'Prüf die Schreibweise; „Modell holen“ im Katalog zeigt, was ein Repository hat.',
      network: 'Prüf, ob der Server diese Adresse erreicht, und versuch es noch einmal: Es geht von dort weiter.',
      digest: 'Die Datei ist nicht, was versprochen war. Versuch es noch einmal; bleibt es so, hat der Anbieter sie geändert.',
      conflict: 'Eine andere Datei ist im Weg: Entferne sie oder benenne sie um, dann versuch es noch einmal.',
    },
  },
});

type Say = Translation<typeof en>;

const REMEDIES: Record<string, keyof typeof en.remedies> = {
  disk_full: 'space',
  fetch_refused: 'refused',
  not_found: 'missing',
  invalid_argument: 'missing',
  fetch_failed: 'network',
  timeout: 'network',
  wrong_content: 'digest',
  conflict: 'conflict',
};

/** What helps against that failure; null where only the server's words do. */
export function remedyOf(code: string, say: Say): string | null {
  const key = REMEDIES[code];
  return key === undefined ? null : say.remedies[key];
}
