import { texts } from '@/text/texts';
import { de } from './texts.de';
import { en } from './texts.en';

export const useModelsTexts = texts({ en, de });
