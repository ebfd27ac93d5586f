// What a step has from the runner: inputs, state, and files to write to
// (docs.github.com, "Workflow commands for GitHub Actions").
import { appendFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'

export const input = name => (process.env['INPUT_' + name.toUpperCase()] ?? '').trim()

export const state = name => process.env['STATE_' + name] ?? ''

/** Adds NAME=value to the file that the runner gave for a purpose: ENV, OUTPUT, STATE. */
export function set (purpose, name, value) {
  const end = 'ghapp-proxy-' + randomUUID() // a value cannot end its own heredoc
  appendFileSync(process.env['GITHUB_' + purpose], `${name}<<${end}\n${value}\n${end}\n`)
}

/** Keeps a secret out of the log, by its lines as well: that is how the runner looks for it. */
export function mask (secret) {
  for (const line of secret.split(/\r?\n/)) {
    if (line.trim() !== '') command('add-mask', line)
  }
}

export const fail = message => {
  command('error', message)
  process.exitCode = 1
}

const escaped = text => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')

export const command = (name, text) => process.stdout.write(`::${name}::${escaped(text)}\n`)
