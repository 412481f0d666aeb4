import { Code, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import classes from './Docs.module.css';
import { type Document, fieldsOf, type Operation, resolved, type Schema, typeOf } from './openapi';
import { useDocsTexts } from './texts';

/** Levels of fields that are open at first; deeper ones are opened by hand. */
const OPEN_LEVELS = 1;

export function RouteDetails({ document, operation }: { document: Document; operation: Operation }) {
  const say = useDocsTexts();
  const { parameters = [], requestBody, responses = {} } = operation;
  const body = Object.values(requestBody?.content ?? {})[0]?.schema;
  return (
    <Stack gap="sm">
      {operation.description !== undefined && <Text size="sm">{operation.description}</Text>}
      {operation['x-access'] !== undefined && (
        <Text size="sm" c="dimmed">
          {say.access}: {operation['x-access']}
        </Text>
      )}
      {parameters.length > 0 && (
        <Part name={say.parameters}>
          {parameters.map((parameter) => (
            <Field key={parameter.name} document={document} name={parameter.name} schema={parameter.schema ?? {}} isRequired={parameter.required ?? false} about={parameter.description} level={0} />
          ))}
        </Part>
      )}
      {body !== undefined && (
        <Part name={say.body}>
          <Fields document={document} schema={body} level={0} />
        </Part>
      )}
      <Part name={say.answers}>
        {Object.entries(responses)
          .filter(([status]) => status.startsWith('2'))
          .map(([status, answer]) => (
            <Answer key={status} document={document} status={status} about={answer.description} contents={answer.content ?? {}} />
          ))}
        <Text size="sm" c="dimmed">
          {Object.keys(responses)
            .filter((status) => !status.startsWith('2'))
            .join(', ')}
        </Text>
      </Part>
    </Stack>
  );
}

function Part({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <Text size="sm" fw={600} mb={4}>
        {name}
      </Text>
      {children}
    </div>
  );
}

function Answer({ document, status, about, contents }: { document: Document; status: string; about: string | undefined; contents: Record<string, { schema?: Schema }> }) {
  return (
    <>
      <Text size="sm">
        <Code>{status}</Code> {about}
      </Text>
      {Object.entries(contents).map(([kind, { schema }]) => (
        <div key={kind}>
          <Text size="xs" c="dimmed">
            {kind}
          </Text>
          {schema !== undefined && <Fields document={document} schema={schema} level={0} />}
        </div>
      ))}
    </>
  );
}

function Fields({ document, schema, level }: { document: Document; schema: Schema; level: number }) {
  const fields = fieldsOf(document, schema);
  if (fields.length === 0) return level === 0 ? <Code>{typeOf(document, schema)}</Code> : null;
  return (
    <div className={classes.schema}>
      {fields.map((field) => (
        <Field key={field.name} document={document} name={field.name} schema={field.schema} isRequired={field.isRequired} about={resolved(document, field.schema).description} level={level} />
      ))}
    </div>
  );
}

interface FieldProps {
  document: Document;
  name: string;
  schema: Schema;
  isRequired: boolean;
  about: string | undefined;
  level: number;
}

function Field({ document, name, schema, isRequired, about, level }: FieldProps) {
  const say = useDocsTexts();
  const [isOpen, setOpen] = useState(level < OPEN_LEVELS - 1);
  const hasFields = fieldsOf(document, schema).length > 0;
  return (
    <div>
      <Text size="sm" component="div">
        <Code>{name}</Code>{' '}
        <Text span size="sm" c="dimmed">
          {typeOf(document, schema)}
          {isRequired && `, ${say.required}`}
        </Text>{' '}
        {about}{' '}
        {hasFields && (
          <button type="button" aria-expanded={isOpen} aria-label={name} onClick={() => setOpen(!isOpen)}>
            {isOpen ? '−' : '+'}
          </button>
        )}
      </Text>
      {hasFields && isOpen && <Fields document={document} schema={schema} level={level + 1} />}
    </div>
  );
}
