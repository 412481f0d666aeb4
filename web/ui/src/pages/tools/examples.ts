import { newKey, newParameter, newTool, type ToolDraft } from './schema';

/** Functions to begin with; each call makes new ones. */
export const EXAMPLES: Readonly<Record<'weather' | 'calculator' | 'search', () => ToolDraft>> = {
  weather: () =>
    newTool({
      name: 'get_weather',
      description: 'Get the current weather for a city',
      parameters: [
        newParameter({ name: 'city', description: 'The city name', isRequired: true }),
        newParameter({ name: 'unit', description: 'The unit of the temperature', choices: ['celsius', 'fahrenheit'] }),
      ],
      mock: {
        rules: [{ key: newKey(), argument: 'city', value: 'Paris', answer: '{"city": "Paris", "temperature": 21, "sky": "sunny"}' }],
        answer: '{"city": "{{city}}", "temperature": 14, "sky": "cloudy"}',
      },
    }),
  calculator: () =>
    newTool({
      name: 'calculator',
      description: 'Evaluate an arithmetic expression',
      parameters: [newParameter({ name: 'expression', description: 'For instance 6 * 7', isRequired: true })],
      mock: {
        rules: [{ key: newKey(), argument: 'expression', value: '6 * 7', answer: '{"result": 42}' }],
        answer: '{"expression": "{{expression}}", "result": 42}',
      },
    }),
  search: () =>
    newTool({
      name: 'search',
      description: 'Search the web',
      parameters: [
        newParameter({ name: 'query', description: 'What to search for', isRequired: true }),
        newParameter({ name: 'limit', type: 'integer', description: 'How many results' }),
        newParameter({
          name: 'filters',
          type: 'object',
          description: 'What results have to be like',
          members: [
            newParameter({ name: 'languages', type: 'array', item: newParameter({ description: 'Like en' }) }),
            newParameter({ name: 'since', type: 'integer', description: 'The earliest year' }),
          ],
        }),
      ],
      mock: {
        rules: [],
        answer: '{"results": [{"title": "All about {{query}}", "url": "https://example.org/1"}, {"title": "More about {{query}}", "url": "https://example.org/2"}]}',
      },
    }),
};
