// Starts the proxy and has the steps that follow use it.
import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fail, input, mask, set } from './runner.mjs'

const startTime = 60_000 // milliseconds that the proxy may take
const windows = process.platform === 'win32'
const source = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The program: the given one, or one that is built here. */
function program (dir) {
  if (input('binary') !== '') return resolve(input('binary'))
  const built = join(dir, windows ? 'ghapp-proxy.exe' : 'ghapp-proxy')
  execFileSync('go', ['build', '-trimpath', '-buildvcs=false', '-o', built, '.'], {
    cwd: source, stdio: 'inherit', env: withoutInputs({ ...process.env, CGO_ENABLED: '0', GOFLAGS: '' })
  })
  return built
}

/** An environment without the inputs: among them is the key. */
function withoutInputs (env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('INPUT_')))
}

/** The configuration: the given one, or one for the App of the inputs. */
function configuration (dir, key) {
  if (input('config') !== '') return resolve(input('config'))
  const id = input('app-id')
  if (!/^[A-Za-z0-9.]+$/.test(id)) throw new Error('app-id is missing, or is no id of an App: give it, or a config')
  if (key === '') throw new Error('private-key is missing: give the App\'s private key, from a secret')
  const path = join(dir, 'config.toml')
  writeFileSync(path, [
    'listen = "127.0.0.1:0"',
    'revoke_on_exit = true',
    ...(input('owner') !== '' ? [`default_owner = ${JSON.stringify(input('owner'))}`] : []),
    '[app.app]',
    /^[0-9]+$/.test(id) ? `id = ${id}` : `client_id = "${id}"`,
    ...(process.env.GITHUB_SERVER_URL ? [`host = ${JSON.stringify(new URL(process.env.GITHUB_SERVER_URL).hostname)}`] : []),
    'private_key_env = "GITHUB_APP_PRIVATE_KEY"',
    ''
  ].join('\n'), { mode: 0o600 })
  return path
}

/** Waits until the proxy listens, and returns its address. */
async function listening (log, proxy) {
  for (const end = Date.now() + startTime; Date.now() < end; await sleep(50)) {
    for (const line of readFileSync(log, 'utf8').split('\n')) {
      try {
        const { msg, address } = JSON.parse(line)
        if (msg === 'listening') return address
      } catch {} // half a line, or an error in words
    }
    if (proxy.exitCode !== null) throw new Error(`the proxy did not start:\n${readFileSync(log, 'utf8')}`)
  }
  throw new Error(`the proxy took too long to start:\n${readFileSync(log, 'utf8')}`)
}

/** Has the steps use a proxy that is there, by the job's own token; the runner has it for nobody else. */
function useProxy (dir) {
  const url = input('proxy-url')
  if (url === '') throw new Error('proxy-url is missing: where is the proxy that takes the token of this job?')
  const exe = program(dir)
  const config = join(dir, 'config.toml')
  writeFileSync(config, '', { mode: 0o600 })
  const optional = [['audience', '--audience'], ['client', '--client'], ['ca', '--ca']].filter(([name]) => input(name) !== '')
  const env = { ...withoutInputs(process.env), XDG_STATE_HOME: join(dir, 'state') }
  const vars = execFileSync(exe, [
    'env', '--config', config, '--shell', 'github-actions', '--proxy-url', url, '--oidc', 'github-actions', '--dir', join(dir, 'trust'),
    ...optional.flatMap(([name, flag]) => [flag, input(name)])
  ], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  hand(dir, vars, url, config)
  console.log(`the steps that follow use ghapp-proxy at ${url}`)
}

/** Gives the steps that follow what they need. */
function hand (dir, vars, url, config) {
  appendFileSync(process.env.GITHUB_ENV, vars)
  set('STATE', 'before', JSON.stringify(before(String(vars))))
  set('OUTPUT', 'proxy-url', url)
  set('OUTPUT', 'ca', join(dir, 'trust', 'ca.pem'))
  set('OUTPUT', 'config', config)
}

async function main (dir) {
  const key = input('private-key')
  mask(key)
  const env = { ...withoutInputs(process.env), XDG_STATE_HOME: join(dir, 'state') }
  const exe = program(dir)
  const config = configuration(dir, key)
  const log = join(dir, 'log.jsonl')
  const out = openSync(log, 'a', 0o600)
  const proxy = spawn(exe, ['serve', '--config', config, '--log-format', 'json'], {
    detached: true, stdio: ['ignore', out, out], env: { ...env, ...(key !== '' ? { GITHUB_APP_PRIVATE_KEY: key } : {}) }
  })
  await new Promise((resolve, reject) => proxy.once('spawn', resolve).once('error', reject))
  set('STATE', 'pid', proxy.pid)
  const url = input('proxy-url') || `http://${await listening(log, proxy)}`
  // Once it listens it has read the configuration; env prints no secret but the URL's, which it masks.
  const vars = execFileSync(exe, ['env', '--config', config, '--shell', 'github-actions', '--proxy-url', url, '--dir', join(dir, 'trust')],
    { env, stdio: ['ignore', 'pipe', 'inherit'] })
  hand(dir, vars, url, config)
  set('OUTPUT', 'log', log)
  console.log(`ghapp-proxy ${execFileSync(exe, ['version'], { env }).toString().trim()} is at ${url}`)
  proxy.unref()
}

/** What the variables had been that lead to the proxy: it is gone before the job is. */
function before (vars) {
  const names = vars.split('\n').map(line => line.split('=', 1)[0]).filter(name => /proxy|^JAVA_TOOL_OPTIONS$|^GIT_CONFIG_COUNT$|_TOKEN$/i.test(name))
  return Object.fromEntries(names.map(name => [name, process.env[name] ?? '']))
}

const dir = mkdtempSync(join(process.env.RUNNER_TEMP, 'ghapp-proxy-'))
set('STATE', 'dir', dir)
try {
  await (input('oidc') === 'true' ? useProxy(dir) : main(dir))
} catch (error) {
  fail(error.message)
}
