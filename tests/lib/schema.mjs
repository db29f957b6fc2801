// Checks a value against a JSON Schema, as far as our OpenAPI document uses it; a word that it does not know is an error.
// SPDX-License-Identifier: Apache-2.0
const known = new Set(['type', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'const', 'anyOf', '$ref', 'description', 'minimum', 'maximum', 'maxLength']);

function typeOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function isType(value, type) {
  const is = typeOf(value);
  return is === type || (type === 'number' && is === 'integer');
}

// What is wrong, as lines "path: ..."; empty: nothing.
export function problems(value, schema, root, path = '$') {
  for (const word of Object.keys(schema)) if (!known.has(word)) return [`${path}: this check does not know the word ${word}`];
  if (schema.$ref) {
    const target = schema.$ref.replace(/^#\//, '').split('/').reduce((at, name) => at?.[name], root);
    return target ? problems(value, target, root, path) : [`${path}: ${schema.$ref} leads nowhere`];
  }
  if (schema.anyOf) {
    const each = schema.anyOf.map((one) => problems(value, one, root, path));
    return each.some((one) => one.length === 0) ? [] : each.flat();
  }
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => isType(value, type))) return [`${path}: ${typeOf(value)}, expected ${types.join(' or ')}`];
  if ('const' in schema && value !== schema.const) return [`${path}: ${JSON.stringify(value)}, expected ${JSON.stringify(schema.const)}`];
  if (schema.enum && !schema.enum.includes(value)) return [`${path}: ${JSON.stringify(value)} is not one of ${schema.enum.join(', ')}`];
  if (typeof value === 'number' && (value < schema.minimum || value > schema.maximum)) return [`${path}: ${value} is out of range`];
  if (typeof value === 'string' && schema.maxLength !== undefined && value.length > schema.maxLength) return [`${path}: too long`];
  if (Array.isArray(value)) return schema.items ? value.flatMap((one, i) => problems(one, schema.items, root, `${path}[${i}]`)) : [];
  if (typeOf(value) !== 'object') return [];
  const found = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${path}: ${name} is missing`);
  for (const [name, one] of Object.entries(value)) {
    const own = schema.properties?.[name];
    const other = schema.additionalProperties;
    if (own) found.push(...problems(one, own, root, `${path}.${name}`));
    else if (other === false) found.push(`${path}: ${name} is not described`);
    else if (other && other !== true) found.push(...problems(one, other, root, `${path}.${name}`));
  }
  return found;
}
