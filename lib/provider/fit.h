/*
 * What individual models do not accept, in one table. A parameter that the model refuses is dropped, and a
 * reasoning_effort that it does not know is replaced by the nearest one. Other models get everything
 * unchanged.
 */
#ifndef PROVIDER_FIT_H
#define PROVIDER_FIT_H

#include "provider/param.h"

/* Adds a line to `notices` for each change. `reasoning`: the user wants to see it. */
int fit_params(struct params *p, const char *provider, const char *model, bool reasoning,
               struct buf *notices, struct err *e);

/* Whether the model accepts a request for its reasoning; true if that is unknown. */
bool fit_reasons(const char *provider, const char *model);
/* Whether the model has a system instruction. */
bool fit_has_system(const char *provider, const char *model);

/* A model's name without the vendor's name that gateways put before it, and without the mark of a
 * fine-tuned model. */
struct span fit_plain_name(struct span model);
/* The name of a Claude model as Anthropic writes it: claude-opus-4-5 for anthropic/claude-opus-4.5,
 * claude-3-haiku-20240307-v1 for anthropic.claude-3-haiku-20240307-v1:0. Other names do not change. */
#define FIT_NAME 96
struct span fit_claude_name(struct span model, char room[FIT_NAME]);

#endif
