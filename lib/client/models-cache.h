/* Where the lists of models are kept: models.h is what the rest of the room uses. */
#ifndef CLIENT_MODELS_CACHE_H
#define CLIENT_MODELS_CACHE_H

#include "client/models.h"

/* False, and an empty list: none is kept, or it is not to be trusted. */
bool models_load(struct model_list *l, const struct endpoint *ep);
/* As far as the disk lets it. */
void models_keep(const struct model_list *l, const struct endpoint *ep);

#endif
