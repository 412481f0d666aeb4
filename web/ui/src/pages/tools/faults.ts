import { looksLikeJson, PLACE } from './mock';
import { hasChoices, type Parameter, type ToolDraft } from './schema';

export type Fault = 'missing' | 'badName' | 'twice' | 'badChoice' | 'noMembers' | 'badJson';

/** What is wrong, by the key of the function, parameter or rule, and the field of it. */
export type Faults = Readonly<Record<string, Fault>>;

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** What of a function no server would take. `others` are the names of the rest. */
export function faultsOf(tool: ToolDraft, others: readonly string[]): Faults {
  const faults: Record<string, Fault> = {};
  if (tool.name === '') faults[`${tool.key}.name`] = 'missing';
  else if (!NAME.test(tool.name)) faults[`${tool.key}.name`] = 'badName';
  else if (others.includes(tool.name)) faults[`${tool.key}.name`] = 'twice';
  visitAll(tool.parameters, faults);
  if (!isAnswer(tool.mock.answer)) faults[`${tool.key}.answer`] = 'badJson';
  for (const rule of tool.mock.rules) {
    if (rule.argument === '') faults[`${rule.key}.argument`] = 'missing';
    if (!isAnswer(rule.answer)) faults[`${rule.key}.answer`] = 'badJson';
  }
  return faults;
}

function visitAll(members: readonly Parameter[], faults: Record<string, Fault>): void {
  const seen = new Set<string>();
  for (const member of members) {
    if (member.name.trim() === '') faults[`${member.key}.name`] = 'missing';
    else if (seen.has(member.name)) faults[`${member.key}.name`] = 'twice';
    seen.add(member.name);
    visit(member, faults);
  }
}

function visit(parameter: Parameter, faults: Record<string, Fault>): void {
  const { key, type, choices, members, item } = parameter;
  if (hasChoices(type) && type !== 'string' && choices.some((choice) => !isNumber(choice, type === 'integer'))) faults[`${key}.choices`] = 'badChoice';
  if (type === 'object') {
    if (members.length === 0) faults[`${key}.members`] = 'noMembers';
    visitAll(members, faults);
  }
  if (type === 'array' && item !== null) visit(item, faults);
}

function isNumber(text: string, isWhole: boolean): boolean {
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) && (!isWhole || Number.isInteger(value));
}

/** A mock answers with any text; what begins like JSON should be some. */
function isAnswer(text: string): boolean {
  if (!looksLikeJson(text)) return true;
  try {
    // A placeholder stands for a value, or for letters of a string: a digit may be both.
    JSON.parse(text.replace(PLACE, '0'));
    return true;
  } catch {
    return false;
  }
}
