import type { Forms, Kind } from './check';

const json = (value: unknown) => JSON.stringify(value, null, 2);

const PERSON = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0, maximum: 150 } },
  required: ['name', 'age'],
  additionalProperties: false,
};
const REVIEW = {
  type: 'object',
  properties: {
    sentiment: { enum: ['positive', 'neutral', 'negative'] },
    score: { type: 'integer', minimum: 1, maximum: 5 },
    topics: { type: 'array', items: { type: 'string' }, maxItems: 5 },
  },
  required: ['sentiment', 'score', 'topics'],
  additionalProperties: false,
};
const RECIPE = {
  type: 'object',
  properties: {
    title: { type: 'string' },
    minutes: { type: 'integer', minimum: 1 },
    ingredients: { type: 'array', minItems: 1, items: { $ref: '#/$defs/ingredient' } },
    steps: { type: 'array', minItems: 1, items: { type: 'string' } },
  },
  required: ['title', 'minutes', 'ingredients', 'steps'],
  additionalProperties: false,
  $defs: {
    ingredient: {
      type: 'object',
      properties: { name: { type: 'string' }, amount: { type: 'number' }, unit: { enum: ['g', 'ml', 'piece'] } },
      required: ['name', 'amount', 'unit'],
      additionalProperties: false,
    },
  },
};

export interface Example {
  kind: Kind;
  forms: Partial<Forms>;
  prompt: string;
}

/** What to begin with; the names are those of the page's words. */
export const EXAMPLES = {
  person: { kind: 'json_schema', forms: { name: 'person', schema: json(PERSON) }, prompt: 'Give me JSON for a person called Alice aged 30.' },
  review: { kind: 'json_schema', forms: { name: 'review', schema: json(REVIEW) }, prompt: 'Rate this review: "The battery lasts long, but the screen is too dark."' },
  recipe: { kind: 'json_schema', forms: { name: 'recipe', schema: json(RECIPE) }, prompt: 'A simple recipe for pancakes.' },
  date: { kind: 'regex', forms: { regex: '\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])' }, prompt: 'When did the Berlin Wall fall? Answer with the date alone, as 2000-12-31.' },
  yesNo: { kind: 'grammar', forms: { grammar: 'root ::= ("Yes" | "No") ", because " [^\\n.]{1,120} "."\n' }, prompt: 'Is the sky blue?' },
} as const satisfies Record<string, Example>;

export type ExampleName = keyof typeof EXAMPLES;

export const USUAL_FORMS: Forms = {
  schema: EXAMPLES.person.forms.schema,
  name: EXAMPLES.person.forms.name,
  isStrict: true,
  regex: EXAMPLES.date.forms.regex,
  grammar: EXAMPLES.yesNo.forms.grammar,
};
