import type { Member, Role } from '@/api/types'
import { atLeast } from '@/app/workspace'

export const ROLES: Role[] = ['owner', 'admin', 'agent', 'viewer']

/** Which roles this person may hand out: admins up to admin, owners all. */
export function grantable(mine: Role | null): Role[] {
  return atLeast(mine, 'admin') ? ROLES.filter((role) => atLeast(mine, role)) : []
}

/** Whether I may change or remove this member; the last owner is the server's to protect. */
export function manageable(mine: Role | null, me: string | undefined, member: Member): boolean {
  return atLeast(mine, 'admin') && atLeast(mine, member.role) && member.user_id !== me
}
