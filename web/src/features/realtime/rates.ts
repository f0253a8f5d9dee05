import type { ClusterFigures, NodeFigures, Traffic } from './types'

export const RATED = ['opened', 'messages_in', 'messages_out', 'bytes_in', 'bytes_out', 'api_calls'] as const
export type Rated = (typeof RATED)[number]

/** Per second. */
export type Rates = Record<Rated, number>
/** `cpu` is in processors: 0.5 is half of one. */
export type NodeRates = Rates & { cpu: number }

export interface ClusterRates {
  /** null when no node can be compared. */
  total: Rates | null
  nodes: Record<string, NodeRates>
  apps: Record<string, Rates>
}

export const NO_RATES: ClusterRates = { total: null, nodes: {}, apps: {} }

/**
 * What happened between two states, per second. Each node's counters are compared by that node's own clock, and only then
 * added up: nodes answer at different moments, come and go. The terminal does the same (console/rates.py); both are held to
 * tests/realtime/console/rates.json.
 */
export function ratesBetween(before: ClusterFigures, after: ClusterFigures): ClusterRates {
  const earlier = new Map(before.nodes.map((node) => [node.node, node]))
  const found: ClusterRates = { total: null, nodes: {}, apps: {} }
  for (const now of after.nodes) {
    const then = earlier.get(now.node)
    if (!then || now.uptime <= then.uptime) continue
    const seconds = now.uptime - then.uptime
    const rates = differences(then.total, now.total, seconds)
    found.nodes[now.node] = { ...rates, cpu: (now.cpu - then.cpu) / seconds }
    found.total = found.total ? sum(found.total, rates) : rates
    for (const [id, traffic] of Object.entries(now.apps)) {
      const known = earlierApp(then, id)
      if (known === undefined) continue
      const mine = differences(known, traffic, seconds)
      found.apps[id] = found.apps[id] ? sum(found.apps[id], mine) : mine
    }
  }
  return found
}

/** null: it had done nothing. undefined: the list was cut, nobody knows. */
function earlierApp(node: NodeFigures, id: string): Traffic | null | undefined {
  return node.apps[id] ?? (node.apps_left_out ? undefined : null)
}

function differences(before: Traffic | null, after: Traffic, seconds: number): Rates {
  return each((name) => (after[name] - (before?.[name] ?? 0)) / seconds)
}

function sum(one: Rates, other: Rates): Rates {
  return each((name) => one[name] + other[name])
}

function each(read: (name: Rated) => number): Rates {
  return Object.fromEntries(RATED.map((name) => [name, read(name)])) as Rates
}

/** Two questions within half a second get the same answer: it says nothing new. */
export function isSameLook(before: ClusterFigures, after: ClusterFigures): boolean {
  const clocks = new Map(before.nodes.map((node) => [node.node, node.uptime]))
  return after.nodes.some((node) => clocks.get(node.node) === node.uptime)
}

export function addTraffic(all: Traffic[]): Traffic {
  const total = { ...EMPTY }
  for (const one of all) for (const name of Object.keys(EMPTY) as (keyof Traffic)[]) total[name] += one[name]
  return total
}

/** Every app over all nodes. */
export function trafficByApp(nodes: NodeFigures[]): Map<string, Traffic> {
  const parts = new Map<string, Traffic[]>()
  for (const node of nodes) for (const [id, traffic] of Object.entries(node.apps)) parts.set(id, [...(parts.get(id) ?? []), traffic])
  return new Map([...parts].map(([id, all]) => [id, addTraffic(all)]))
}

const EMPTY: Traffic = {
  connections: 0, channels: 0, opened: 0, slow_closed: 0, messages_in: 0, messages_out: 0, bytes_in: 0, bytes_out: 0,
  api_calls: 0, api_refused: 0, webhooks_waiting: 0, webhooks_sent: 0, webhooks_dropped: 0, webhooks_failed: 0,
}
