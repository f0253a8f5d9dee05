"""Tenancy below the handlers: a session opened for a workspace cannot see, change or create another workspace's rows.

Every ORM statement on a `TenantModel` gets the workspace criterion added; what could go round it raises
`TenancyError`: Core table statements, ``text()``, bulk inserts for another workspace, bulk updates by primary key,
foreign objects at flush, foreign rows at load or refresh, and any statement on a tenant table in a session without a
workspace. Work that really spans workspaces says so and why::

    await session.execute(statement, execution_options=across_tenants("retention removes old events everywhere"))

Forms the hooks cannot see (``.any()``/``.has()``) are refused by a check over the source; foreign keys between tenant tables are composite ``(workspace_id, id)``.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Mapped, ORMExecuteState, QueryContext, mapped_column, with_loader_criteria

from kanal.kit.db.database import GuardedSession
from kanal.kit.db.statement import TENANT_TABLES
from kanal.kit.db.types import Id

ACROSS = "across_tenants"


class TenancyError(Exception):
    """Code tried to go round the workspace filter. Always a bug; never shown to a user as anything but a 500."""


class TenantModel:
    """Mixin of every table that belongs to a workspace; its primary key starts with ``workspace_id``."""

    workspace_id: Mapped[UUID] = mapped_column(Id, primary_key=True, sort_order=-10)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        table = cls.__dict__.get("__tablename__")
        if table:
            TENANT_TABLES.add(table)


def across_tenants(reason: str) -> dict[str, Any]:
    """Execution options that lift the filter for one statement; the reason is for the reader."""
    if not reason:
        raise ValueError("say why")
    return {ACROSS: reason}


def _workspace(session: Any) -> UUID | None:
    value: UUID | None = session.info.get("workspace_id")
    return value


_CHECKED: dict[Any, bool] = {}
CHECKED_LIMIT = 5_000  # distinct statements; the code has far fewer, a loop that builds them must not grow memory


def _names_tenants(statement: Any) -> bool:
    """`_check_names`, once per shape of statement: walking one costs more than running it."""
    key = statement._generate_cache_key()
    if key is None:
        return _check_names(statement)
    known = _CHECKED.get(key.key)
    if known is None:
        known = _check_names(statement)
        if len(_CHECKED) >= CHECKED_LIMIT:
            _CHECKED.clear()
        _CHECKED[key.key] = known
    return known


def _check_names(statement: Any) -> bool:
    """Whether a statement names tenant tables. Raises `TenancyError` where one is named other than as a model.

    The criterion is added to the models in the columns, FROM and joins of each SELECT; a table that appears in any other
    way (a Core table, its alias, a model only in WHERE) would be read whole.
    """
    named = False
    elements = list(sa.sql.visitors.iterate(statement))
    # Of all SELECTs together, because an inner one may be correlated to an outer one's model.
    models = set().union(*(_models(e) for e in elements if isinstance(e, sa.Select)))
    for element in elements:
        if isinstance(element, sa.Select):
            orm = element._propagate_attrs.get("compile_state_plugin") == "orm"
            for source in element.get_final_froms():
                named = _check_source(source, models if orm else set()) or named
        elif isinstance(element, sa.Update | sa.Delete | sa.Insert):
            table = element.table
            if isinstance(table, sa.Table) and table.key in TENANT_TABLES:
                named = True
                if "parententity" not in table._annotations:
                    raise TenancyError(f"{table.key}: a Core table is not scoped, name the model")
    return named


def _models(select: sa.Select[Any]) -> set[Any]:
    """The tables and aliases that stand for models in the columns, FROM and joins of this SELECT."""
    found = set()
    places: list[Any] = [*select._raw_columns, *select._from_obj, *(join[0] for join in select._setup_joins)]
    for place in places:
        for element in sa.sql.visitors.iterate(place):
            entity = element._annotations.get("parententity")
            if entity is not None:
                found.add(entity.selectable)
    return found


def _check_source(source: Any, models: set[Any]) -> bool:
    if isinstance(source, sa.Join):
        left = _check_source(source.left, models)
        return _check_source(source.right, models) or left
    plain = source._deannotate() if source._annotations else source
    table = plain.element if isinstance(plain, sa.Alias) else plain
    if not isinstance(table, sa.Table) or table.key not in TENANT_TABLES:
        return False  # subselects are looked at on their own
    if plain not in models and source not in models and "parententity" not in source._annotations:
        raise TenancyError(f"{table.key}: not scoped here, select the model")
    return True


@event.listens_for(GuardedSession, "do_orm_execute")
def _scope(state: ORMExecuteState) -> None:
    if state.execution_options.get(ACROSS):
        return
    if isinstance(state.statement, sa.TextClause) or type(state.statement).__name__ in (
        "TextualSelect",
        "FromStatement",
    ):
        raise TenancyError("text() is not scoped: use a Statement")
    if not _names_tenants(state.statement) and not any(issubclass(m.class_, TenantModel) for m in state.all_mappers):
        return
    workspace = _workspace(state.session)
    if workspace is None:
        raise TenancyError("a tenant table in a session without a workspace")
    if state.is_insert:
        _check_insert(state, workspace)
    elif state.is_update and isinstance(state.parameters, list):
        raise TenancyError("bulk update by primary key is not scoped")
    if not state.is_insert:
        state.statement = state.statement.options(
            with_loader_criteria(
                TenantModel,
                lambda model: model.workspace_id == workspace,
                include_aliases=True,
                track_closure_variables=True,
            )
        )


def _check_insert(state: ORMExecuteState, workspace: UUID) -> None:
    statement: Any = state.statement
    if statement.select is not None:
        raise TenancyError("INSERT … SELECT is not scoped")
    parameters: Any = state.parameters or []
    rows = [*(parameters if isinstance(parameters, list) else [parameters])]
    rows += [statement._values] if statement._values else []
    rows += [row for batch in statement._multi_values for row in batch]
    given = []
    for row in rows:
        named = {getattr(column, "key", column): value for column, value in row.items()}
        value = named.get("workspace_id")
        given.append(getattr(value, "value", value))
    if not given or any(value != workspace for value in given):
        raise TenancyError("an insert for another workspace, or for none")


@event.listens_for(GuardedSession, "before_flush")
def _check_flush(session: GuardedSession, _context: Any, _instances: Any) -> None:
    for instance in (*session.new, *session.dirty, *session.deleted):
        if isinstance(instance, TenantModel):
            workspace = _workspace(session)
            if workspace is None:
                raise TenancyError("a tenant row in a session without a workspace")
            given: UUID | None = instance.workspace_id
            if given is None:
                instance.workspace_id = workspace
            elif given != workspace:
                raise TenancyError(f"{type(instance).__name__} of another workspace")


def _check_loaded(instance: TenantModel, session: Any, options: Any) -> None:
    if options.get(ACROSS):
        return
    if session is None or instance.workspace_id != _workspace(session):
        raise TenancyError(f"{type(instance).__name__} of another workspace was loaded")


@event.listens_for(TenantModel, "load", propagate=True)
def _on_load(instance: TenantModel, context: QueryContext | None) -> None:
    if context is not None:  # None: a merged copy, which the flush looks at
        _check_loaded(instance, context.session, context.execution_options)


@event.listens_for(TenantModel, "refresh", propagate=True)
def _on_refresh(instance: TenantModel, context: QueryContext, _attributes: Any) -> None:
    if context is not None:
        _check_loaded(instance, context.session, context.execution_options)
