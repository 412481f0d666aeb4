import { plural, texts } from '@/text/texts';

export const useLibraryTexts = texts({
  en: {
    imported: (count: number) => `Imported: ${count}`,
    outcome: (imported: number, refused: number) => `Imported: ${imported}. Refused: ${refused}`,
    unnamed: 'Without a name',
    noExport: (file: string) => `${file} is no export that can be read here: choose a JSON file that was exported from Kronk.`,
    ago: (time: string) => `${time} ago`,
    messages: (count: number) => plural(count, 'message', 'messages'),
  },
  de: {
    imported: (count: number) => `Importiert: ${count}`,
    outcome: (imported: number, refused: number) => `Importiert: ${imported}. Abgelehnt: ${refused}`,
    unnamed: 'Ohne Namen',
    noExport: (file: string) => `${file} ist kein Export, der hier gelesen werden kann: Wähle eine JSON-Datei, die aus Kronk exportiert wurde.`,
    ago: (time: string) => `vor ${time}`,
    messages: (count: number) => plural(count, 'Nachricht', 'Nachrichten'),
  },
});

export type LibraryTexts = ReturnType<typeof useLibraryTexts>;
