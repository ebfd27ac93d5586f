// Ends the proxy at the end of the job, says what it did, and leaves nothing.
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { command, set, state } from './runner.mjs'

const stopTime = 40_000 // more than shutdown_grace, of 30 seconds
const maxRows = 20

const alive = pid => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Ends the proxy; what it holds in memory ends with it, and so do its tokens. */
async function stop (pid) {
  if (!alive(pid)) return
  process.kill(pid, 'SIGTERM') // on Windows it ends at once
  for (const end = Date.now() + stopTime; alive(pid) && Date.now() < end; await sleep(50));
  if (alive(pid)) process.kill(pid, 'SIGKILL')
}

/** The lines of the log: objects. */
function lines (log) {
  if (!existsSync(log)) return []
  return readFileSync(log, 'utf8').split('\n').flatMap(line => {
    try {
      return [JSON.parse(line)]
    } catch {
      return []
    }
  })
}

/** Counts by what key says, most first. */
function count (list, key) {
  const counts = new Map()
  for (const item of list) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])
}

/** Text in a table: none of it is Markdown, for some of it is what was asked for. */
const cell = text => String(text).replace(/[^\x20-\x7e]/g, '?').replace(/[&<>|`*_[\]\\~#!:@]/g, c => `&#${c.charCodeAt(0)};`).slice(0, 600)

const table = (head, rows) => rows.length === 0 ? '' : [
  `| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`,
  ...rows.slice(0, maxRows).map(row => `| ${row.map(cell).join(' | ')} |`),
  ...(rows.length > maxRows ? ['', `and ${rows.length - maxRows} more`] : []), '', ''
].join('\n')

/** What the proxy did, in Markdown. */
function summary (log) {
  const requests = log.filter(line => line.msg === 'request')
  const problems = log.filter(line => line.level === 'WARN' || line.level === 'ERROR' || line.status >= 400)
  return `### ghapp-proxy\n\n${requests.length} requests to GitHub\n\n` +
    table(['owner', 'credential', 'installation', 'requests'],
      count(requests, r => JSON.stringify([r.owner ?? '', r.credential ?? '', r.installation ?? '']))
        .map(([key, n]) => [...JSON.parse(key), n])) +
    table(['status', 'request', 'why', 'times'],
      count(problems, p => JSON.stringify([p.status ?? '', p.method ? `${p.method} ${p.host}${p.path ?? ''}` : '', p.error ?? p.refused ?? p.msg]))
        .map(([key, n]) => [...JSON.parse(key), n]))
}

const dir = state('dir')
try {
  const pid = Number(state('pid'))
  if (pid > 0) await stop(pid)
  for (const [name, value] of Object.entries(JSON.parse(state('before') || '{}'))) set('ENV', name, value)
  const log = join(dir, 'log.jsonl')
  if (dir !== '' && existsSync(log) && process.env.GITHUB_STEP_SUMMARY) appendFileSync(process.env.GITHUB_STEP_SUMMARY, summary(lines(log)))
} catch (error) {
  command('warning', `ghapp-proxy: ${error.message}`)
} finally {
  // The certificates of trust stay: steps of other Actions that end after this one
  // name them, and the runner removes them with its directory.
  for (const name of ['state', 'config.toml', 'log.jsonl', 'ghapp-proxy', 'ghapp-proxy.exe']) {
    if (dir !== '') rmSync(join(dir, name), { recursive: true, force: true })
  }
}
