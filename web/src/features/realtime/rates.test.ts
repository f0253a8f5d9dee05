import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addTraffic, isSameLook, RATED, ratesBetween, trafficByApp, type Rates } from './rates'
import type { ClusterFigures, NodeFigures, Traffic } from './types'

type Part = Partial<Record<keyof Traffic | 'cpu', number>>
interface Example {
  name: string
  before: NodeExample[]
  after: NodeExample[]
  total?: Part | null
  nodes: Record<string, Part>
  apps: Record<string, Part>
}
interface NodeExample {
  node: string
  uptime: number
  cpu: number
  apps: Record<string, Partial<Traffic>>
  apps_left_out?: number
}

// The same examples that the terminal's rates are held to.
const examples = JSON.parse(readFileSync('../tests/realtime/console/rates.json', 'utf8')) as Example[]

function node(given: NodeExample): NodeFigures {
  const apps = Object.fromEntries(Object.entries(given.apps).map(([id, traffic]) => [id, { ...addTraffic([]), ...traffic }]))
  return {
    version: '1', memory: null, descriptors: 1_024, engine: 'memory', broker_connected: true, draining: false, refused: 0, apps_left_out: 0,
    ...given, apps, total: addTraffic(Object.values(apps)),
  }
}

function state(nodes: NodeExample[]): ClusterFigures {
  return { at: 0, node: 'a', alone: false, silent: [], apps: [], nodes: nodes.map(node) }
}

describe('rates', () => {
  it.each(examples)('$name', ({ before, after, total, nodes, apps }) => {
    const rates = ratesBetween(state(before), state(after))
    expect(Object.keys(rates.nodes).sort()).toEqual(Object.keys(nodes).sort())
    expect(Object.keys(rates.apps).sort()).toEqual(Object.keys(apps).sort())
    expect(rates.nodes).toMatchObject(nodes)
    expect(rates.apps).toMatchObject(apps)
    if (total === null) expect(rates.total).toBeNull()
    else if (total) expect(rates.total).toMatchObject(total)
  })

  it('of the nodes add up to the total', () => {
    for (const { before, after } of examples) {
      const { total, nodes } = ratesBetween(state(before), state(after))
      const sums = Object.values(nodes).reduce((sum, one) => RATED.map((name, index) => sum[index]! + one[name]), RATED.map(() => 0))
      if (total) expect(RATED.map((name) => (total as Rates)[name])).toEqual(sums)
    }
  })

  it('are not computed from one look that was answered twice', () => {
    const look = state([{ node: 'a', uptime: 3, cpu: 0, apps: {} }])
    expect(isSameLook(look, look)).toBe(true)
    expect(isSameLook(look, state([{ node: 'a', uptime: 4, cpu: 0, apps: {} }]))).toBe(false)
  })
})

it('an app on two nodes is one', () => {
  const nodes = [{ connections: 3, channels: 1 }, { connections: 4 }].map((app, index) => node({ node: `${index}`, uptime: 1, cpu: 0, apps: { 7: app } }))
  expect(trafficByApp(nodes).get('7')).toMatchObject({ connections: 7, channels: 1 })
})
