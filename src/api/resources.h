#ifndef ROSTER_API_RESOURCES_H
#define ROSTER_API_RESOURCES_H

#include "api/users.h"

/* All resources but users, which have a file of their own. */
extern const struct resource business_resource, user_role_resource, role_resource,
    chat_room_resource, language_resource, application_resource, web_hook_resource,
    web_hook_delivery_resource, audit_trail_entry_resource, refresh_token_resource;

#endif
