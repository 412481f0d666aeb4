import { texts } from '@/text/texts';

export const useDashboardTexts = texts({
  en: {
    title: 'Dashboard',
    models: 'Loaded models',
    none: { title: 'No model is loaded', text: 'A model is loaded when it is first asked for.' },
    columns: { model: 'Model', state: 'State', slots: 'Slots', queue: 'Queue', speed: 'Tokens/s', memory: 'Memory' },
  },
  de: {
    title: 'Übersicht',
    models: 'Geladene Modelle',
    none: { title: 'Kein Modell ist geladen', text: 'Ein Modell wird geladen, wenn es zum ersten Mal gefragt wird.' },
    columns: { model: 'Modell', state: 'Zustand', slots: 'Slots', queue: 'Warteschlange', speed: 'Token/s', memory: 'Speicher' },
  },
});
