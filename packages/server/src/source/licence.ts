/**
 * Under which licence a repository says it is, as an SPDX id: by the words of its licence file, else by its manifest.
 * What is not recognised is said to be so; nobody's lawyer is replaced.
 */
import type { Fetched } from './fetched.ts'

export interface Licence {
  /** `MIT`, `Apache-2.0 OR MIT`; null: there is one that is not recognised. */
  readonly spdx: string | null
  /** Where it says so. */
  readonly file: string
}

const LONGEST = 65_536
const FILE = /^(?:licen[sc]e|copying)(?:[.-].{1,40})?$/i
const EXPRESSION =
  /^\(?[A-Za-z0-9][A-Za-z0-9.+-]{0,60}(?:(?: (?:AND|OR|WITH) \(?)[A-Za-z0-9][A-Za-z0-9.+-]{0,60}\)?){0,8}\)?$/

/** Words that only this licence has, all of them; the first that fits counts, so the narrower comes first. */
const WORDS: readonly (readonly [spdx: string, ...words: readonly string[]])[] = [
  ['AGPL-3.0', 'gnu affero general public license', 'version 3 19 november 2007'],
  ['LGPL-3.0', 'gnu lesser general public license', 'version 3 29 june 2007'],
  ['LGPL-2.1', 'gnu lesser general public license', 'version 2 1 february 1999'],
  ['GPL-3.0', 'gnu general public license', 'version 3 29 june 2007'],
  ['GPL-2.0', 'gnu general public license', 'version 2 june 1991'],
  ['MPL-2.0', 'mozilla public license version 2 0'],
  ['EPL-2.0', 'eclipse public license v 2 0'],
  ['EUPL-1.2', 'european union public licence v 1 2'],
  ['BUSL-1.1', 'business source license 1 1'],
  ['SSPL-1.0', 'server side public license', 'version 1 october 16 2018'],
  ['Elastic-2.0', 'elastic license 2 0'],
  ['Apache-2.0', 'apache license', 'version 2 0 january 2004'],
  ['Artistic-2.0', 'the artistic license 2 0'],
  ['BSL-1.0', 'boost software license version 1 0'],
  ['CC0-1.0', 'cc0 1 0 universal'],
  ['CC-BY-SA-4.0', 'attribution sharealike 4 0 international'],
  ['CC-BY-4.0', 'attribution 4 0 international'],
  ['Unlicense', 'this is free and unencumbered software released into the public domain'],
  ['WTFPL', 'do what the fuck you want to public license'],
  [
    'Zlib',
    'this software is provided as is without any express or implied warranty',
    'altered source versions must be plainly marked',
  ],
  ['BSD-4-Clause', 'redistribution and use in source and binary forms', 'all advertising materials mentioning'],
  ['BSD-3-Clause', 'redistribution and use in source and binary forms', 'neither the name of'],
  ['BSD-2-Clause', 'redistribution and use in source and binary forms', 'redistributions in binary form must'],
  [
    'MIT',
    'permission is hereby granted free of charge to any person obtaining a copy',
    'the above copyright notice and this permission notice',
  ],
  ['MIT-0', 'permission is hereby granted free of charge to any person obtaining a copy'],
  [
    'ISC',
    'permission to use copy modify and or distribute this software for any purpose',
    'provided that the above copyright notice',
  ],
  [
    'ISC',
    'permission to use copy modify and distribute this software for any purpose',
    'provided that the above copyright notice',
  ],
  [
    '0BSD',
    'permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted',
  ],
]

/** The folder's licence, else the repository's; null: it says nothing of one. */
export function readLicence({ files, top }: Pick<Fetched, 'files' | 'top'>): Licence | null {
  return ofFolder(files) ?? ofFolder(top.files)
}

function ofFolder(files: ReadonlyMap<string, string>): Licence | null {
  const named = [...files.keys()].filter((name) => FILE.test(name)).toSorted()
  for (const name of named) {
    const spdx = licenceOf(files.get(name) ?? '')
    if (spdx !== null) return { spdx, file: name }
  }
  const declared = ofPackage(files.get('package.json')) ?? ofProject(files.get('pyproject.toml'))
  if (declared !== null) return declared
  return named[0] === undefined ? null : { spdx: null, file: named[0] }
}

export function licenceOf(text: string): string | null {
  const words = text
    .slice(0, LONGEST)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
  return WORDS.find(([, ...all]) => all.every((some) => words.includes(some)))?.[0] ?? null
}

function ofPackage(text: string | undefined): Licence | null {
  if (text === undefined) return null
  try {
    const { license } = JSON.parse(text) as { license?: unknown }
    const named = typeof license === 'object' && license !== null && 'type' in license ? license.type : license
    return expression(named, 'package.json')
  } catch {
    return null // The plan says what is wrong with it.
  }
}

function ofProject(text: string | undefined): Licence | null {
  const named = /^license\s*=\s*(?:\{\s*text\s*=\s*)?["']([^"'\n]{1,200})["']/m.exec(
    (text ?? '').slice(0, LONGEST),
  )?.[1]
  return expression(named, 'pyproject.toml')
}

function expression(named: unknown, file: string): Licence | null {
  if (typeof named !== 'string' || named === 'UNLICENSED' || named.length > 300) return null
  return EXPRESSION.test(named.trim()) ? { spdx: named.trim(), file } : null
}
