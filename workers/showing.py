"""Answers those who look at a run in the Temporal UI; between looks the page about it does not exist."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.worker import (
    HandleQueryInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from workflows.run import ManifestRun

METADATA = "__temporal_workflow_metadata"


class Showing(Interceptor):
    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Shown


class _Shown(WorkflowInboundInterceptor):
    async def handle_query(self, input: HandleQueryInput) -> Any:
        answer = await super().handle_query(input)
        run = workflow.instance()
        if input.query == METADATA and isinstance(answer, WorkflowMetadata) and isinstance(run, ManifestRun):
            answer.current_details = run.details()
        return answer
