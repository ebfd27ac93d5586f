// Sends what Node's own fetch, http and https ask for through the proxy that
// the environment names: for versions that cannot do it by NODE_USE_ENV_PROXY.
// NODE_OPTIONS preloads it into every Node process and worker, so it must be
// harmless there and must parse in old versions.
'use strict';

(function install() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  // nodejs.org, "Command-line API", NODE_USE_ENV_PROXY: fetch since 24.0 and
  // http(s) since 24.5; both since 22.21.
  const native = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
  if (native || major < 14 || process.versions.bun || process.versions.deno) return;
  const mark = Symbol.for('ghapp-proxy.node-proxy');
  if (globalThis[mark]) return; // there is one already: a run inside a run
  Object.defineProperty(globalThis, mark, { value: true });

  const http = require('http');
  const https = require('https');
  const net = require('net');
  const tls = require('tls');

  // excepted reports whether NO_PROXY lists a host, itself or a domain of it.
  function excepted(hostname, port) {
    const list = process.env.no_proxy || process.env.NO_PROXY || '';
    return list.toLowerCase().split(/[\s,]+/).some((entry) => {
      const [, name, only] = /^(.*?)(?::(\d+))?$/.exec(entry);
      const domain = name.replace(/^\*?\./, '');
      if (domain === '' || (only && Number(only) !== Number(port))) return false;
      return domain === '*' || hostname === domain || hostname.endsWith('.' + domain);
    });
  }

  // proxyFor returns the URL of the proxy for a host, null for none.
  function proxyFor(protocol, hostname, port) {
    const env = process.env;
    const text = protocol === 'https:' ? env.https_proxy || env.HTTPS_PROXY : env.http_proxy || env.HTTP_PROXY;
    if (!text || excepted(hostname.toLowerCase(), port)) return null;
    try {
      const proxy = new URL(text);
      return proxy.protocol === 'http:' || proxy.protocol === 'https:' ? proxy : null;
    } catch {
      return null;
    }
  }

  const bare = (hostname) => hostname.replace(/^\[|\]$/g, ''); // an IPv6 address without brackets
  const authority = (hostname, port) => (net.isIPv6(bare(hostname)) ? `[${bare(hostname)}]` : hostname) + ':' + port;
  const isTLS = (proxy) => proxy.protocol === 'https:';
  const name = (host) => (net.isIP(host) ? '' : host); // that TLS asks for
  const address = (proxy) => ({ host: bare(proxy.hostname), port: Number(proxy.port || (isTLS(proxy) ? 443 : 80)) });

  // credentials is the Proxy-Authorization for a proxy, undefined for none.
  function credentials(proxy) {
    if (!proxy.username) return undefined;
    const text = decodeURIComponent(proxy.username) + ':' + decodeURIComponent(proxy.password);
    return 'Basic ' + Buffer.from(text).toString('base64');
  }

  // openTunnel calls done(error, socket) with a connection through the proxy.
  function openTunnel(proxy, hostname, port, done) {
    const target = authority(hostname, port);
    const headers = { host: target };
    if (proxy.username) headers['proxy-authorization'] = credentials(proxy);
    const options = { ...address(proxy), method: 'CONNECT', path: target, headers, agent: false };
    const request = isTLS(proxy) ? https.request({ ...options, servername: name(options.host), ALPNProtocols: ['http/1.1'] }) : http.request(options);
    request.once('error', done);
    request.once('connect', (response, socket, head) => {
      request.removeListener('error', done);
      if (response.statusCode !== 200) {
        socket.destroy();
        done(new Error(`the proxy refused ${target}: ${response.statusCode} ${response.statusMessage}`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      done(null, socket);
    });
    request.end();
  }

  // https.request and what is built on it, unless it brings an agent.
  function patchHTTPS(agent) {
    const connect = agent.createConnection;
    agent.createConnection = function createConnection(options, done) {
      const port = options.port || 443;
      const proxy = options.socketPath || !options.host ? null : proxyFor('https:', options.host, port);
      if (!proxy || typeof done !== 'function') return connect.apply(this, arguments);
      openTunnel(proxy, options.host, port, (error, socket) => {
        if (error) return done(error);
        try {
          done(null, connect.call(this, { ...options, socket }));
        } catch (thrown) {
          socket.destroy();
          done(thrown);
        }
      });
      return undefined;
    };
  }

  // http.request: in absolute form. A request whose head is composed already
  // (its header fields were given as an array) goes out as it is.
  function patchHTTP(agent) {
    const add = agent.addRequest;
    agent.addRequest = function addRequest(request, options, ...rest) {
      const host = options && options.host;
      const proxy = host && !options.socketPath && !request._header ? proxyFor('http:', host, options.port || 80) : null;
      if (!proxy || isTLS(proxy)) return add.call(this, request, options, ...rest); // in clear text, to no proxy
      const port = Number(options.port || 80);
      request.path = 'http://' + (port === 80 ? authority(host, port).slice(0, -3) : authority(host, port)) + request.path;
      if (proxy.username) request.setHeader('proxy-authorization', credentials(proxy));
      return add.call(this, request, { ...options, ...address(proxy), hostname: undefined }, ...rest);
    };
  }

  // dial is undici's connector: it calls done(error, socket) once. undici gives
  // up after ten seconds too.
  function dial({ protocol, hostname, port, servername, localAddress }, done) {
    const isSecure = protocol === 'https:';
    const host = bare(hostname);
    const to = Number(port || (isSecure ? 443 : 80));
    let socket = null;
    const timer = setTimeout(() => finish(new Error(`no connection to ${authority(host, to)} in 10 s`)), 10000);
    function finish(error) {
      if (finish.called) return;
      finish.called = true;
      clearTimeout(timer);
      if (error && socket) socket.destroy();
      error ? done(error) : done(null, socket);
    }
    function start(through) {
      if (finish.called) {
        if (through) through.destroy();
        return;
      }
      const where = through ? { socket: through } : { host, port: to, localAddress };
      socket = isSecure
        ? tls.connect({ ...where, servername: servername || name(host), ALPNProtocols: ['http/1.1'] })
        : through || net.connect(where);
      socket.once('error', finish);
      if (!isSecure && through) finish(null);
      else socket.once(isSecure ? 'secureConnect' : 'connect', () => finish(null));
      socket.setNoDelay(true).setKeepAlive(true, 60000);
    }
    const proxy = proxyFor(protocol, host, to);
    if (!proxy) return start(null);
    openTunnel(proxy, host, to, (error, through) => (error ? finish(error) : start(through)));
  }

  // fetch asks the dispatcher that Node's own undici keeps under this symbol
  // (nodejs/undici, lib/global.js). The class cannot be required, but it is
  // the constructor of the dispatcher that is there once undici is loaded,
  // which looking at Headers does.
  function patchFetch() {
    const key = Symbol.for('undici.globalDispatcher.1');
    void globalThis.Headers;
    const dispatcher = globalThis[key];
    if (dispatcher && dispatcher.constructor.name === 'Agent') globalThis[key] = new dispatcher.constructor({ connect: dial });
  }

  patchHTTPS(https.globalAgent);
  patchHTTP(http.globalAgent);
  patchFetch();
})();
