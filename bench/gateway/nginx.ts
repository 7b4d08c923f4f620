/**
 * The peer: nginx as a reverse proxy with one worker, connections to the app kept, the same headers set, and nothing
 * counted or logged, which makes it faster than one that could be billed by.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Peer {
  /** Of the process that does the work. */
  readonly pid: number
  close(): void
}

export async function startNginx({ port, app, host }: { port: number; app: number; host: string }): Promise<Peer> {
  const folder = mkdtempSync('/tmp/perennial-nginx-')
  const config = `${folder}/nginx.conf`
  writeFileSync(
    config,
    `worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; client_body_temp_path ${folder}; proxy_temp_path ${folder};
  fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  upstream app { server 127.0.0.1:${app}; keepalive 200; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port} default_server; return 421; }
  server {
    listen 127.0.0.1:${port}; server_name ${host};
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto http;
      proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Request-Id $request_id;
    }
  }
}
`,
  )
  execFileSync('nginx', ['-t', '-q', '-c', config], { stdio: 'pipe' })
  const master = spawn('nginx', ['-c', config], { stdio: 'inherit' })
  while (!(await answers(port))) {
    if (master.exitCode !== null) throw new Error(`nginx ended with ${master.exitCode}`)
    await sleep(20)
  }
  const [worker = ''] = execFileSync('pgrep', ['-P', String(master.pid)], { encoding: 'utf8' }).split('\n')
  return {
    pid: Number(worker),
    close() {
      master.kill('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
