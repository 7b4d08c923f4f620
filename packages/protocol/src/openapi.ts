/** The catalogue as an OpenAPI 3.1 document: every method, its input, its answer and its refusals, for tools we did not write. */
import * as z from 'zod'
import { pathOf, type Method } from './method.ts'
import { PROBLEM_TYPE } from './problem.ts'

export interface ApiInfo {
  /** Where the node is called. */
  readonly origin: string
  readonly version: string
}

export function openApi(methods: readonly Method[], info: ApiInfo): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Perennial node',
      version: info.version,
      description:
        'Calls are signed with an Ed25519 key by RFC 9421 (spec/call.md); safe methods also answer unsigned.',
    },
    servers: [{ url: info.origin }],
    tags: [...new Set(methods.map(({ service }) => service))].map((name) => ({ name })),
    paths: Object.fromEntries(methods.map((declared) => [pathOf(declared), operations(declared)])),
    components: { schemas: { Problem: PROBLEM_SCHEMA } },
  }
}

function operations(declared: Method): Record<string, unknown> {
  const shared = {
    tags: [declared.service],
    summary: declared.summary,
    'x-policy': declared.policy,
    'x-meters': declared.meters,
    responses: {
      200: {
        description: 'Done.',
        content: { 'application/json': { schema: wireSchema(declared.output) } },
      },
      default: {
        description: 'Refused; OC-Status says why.',
        content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  }
  const schema = wireSchema(declared.input)
  const post = {
    ...shared,
    operationId: `${declared.service}.${declared.name}`,
    requestBody: { required: true, content: { 'application/json': { schema, example: declared.example } } },
  }
  if (!declared.safe) return { post }
  return {
    post,
    get: { ...shared, operationId: `${declared.service}.${declared.name}.get`, parameters: query(schema) },
  }
}

/** The members of a safe method's input are strings on the wire, so each is a query parameter as it is. */
function query(schema: Record<string, unknown>): unknown[] {
  const properties = (schema['properties'] ?? {}) as Record<string, unknown>
  const required = new Set((schema['required'] ?? []) as string[])
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: 'query',
    required: required.has(name),
    schema: property,
  }))
}

export interface InputSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>
  readonly required?: readonly string[]
}

/** A method's input as JSON Schema has it: what a command line or a form asks for. */
export function inputSchema({ input }: Method): InputSchema {
  return wireSchema(input)
}

/** The side that travels: codecs are shown as the strings they are on the wire. */
function wireSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) as Record<
    string,
    unknown
  >
  return rest
}

const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'ocStatus'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    ocStatus: { type: 'string' },
    nextStep: { type: 'string' },
    instance: { type: 'string' },
    retryable: { type: 'boolean' },
    retryAfterSeconds: { type: 'integer' },
    minimum: { type: 'string', description: 'micros' },
  },
}
