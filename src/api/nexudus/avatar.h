#ifndef ROSTER_API_AVATAR_H
#define ROSTER_API_AVATAR_H

#include "api/request.h"

/** Lets go of a picture that a reply was made of, once it was sent or nobody takes it. Takes NULL.
 */
void avatar_release(struct picture *picture);

#endif
