import type { components } from '@/api/schema'

/** Shapes of the console's answers (src/kanal/realtime/console/figures.py). Fields with a default are always sent. */
type Schemas = components['schemas']

export type Traffic = Required<Schemas['Traffic']>
export type NodeFigures = Omit<Required<Schemas['NodeFigures']>, 'total' | 'apps'> & { total: Traffic; apps: Record<string, Traffic> }
export type AppView = Schemas['AppView']
export type ClusterFigures = Omit<Schemas['ClusterFigures'], 'nodes'> & { nodes: NodeFigures[] }
export type ChannelFigures = Required<Schemas['ChannelFigures']>
export type ChannelPage = Omit<Schemas['ChannelPage'], 'items'> & { items: ChannelFigures[] }
export type ChannelSort = 'rate' | 'subscriptions' | 'messages' | 'name'

export interface TailedEvent {
  /** Milliseconds of the epoch. */
  at: number
  event: string
  /** As a client gets it, usually JSON. */
  data: string
  /** Characters of the whole data; `data` may be the beginning only. */
  size: number
  cut: boolean
  user_id: string | null
}

/** One message of the stream. `seen` and `dropped` count from its start. */
export interface TailBatch {
  events: TailedEvent[]
  seen: number
  dropped: number
}
