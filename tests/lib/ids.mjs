// The Ids of what Server.start() begins with (lib/world.mjs), which are the demo's as well.
export const adminId = 100000001;
export const userId = 87654321; // Ada Lovelace, who has no permission
// Each of the first five holds one permission on users, the other two hold several.
export const staff = {
    lister: 100000011,
    reader: 100000012,
    creator: 100000013,
    editor: 100000014,
    deleter: 100000015,
    frontdesk: 100000016,
    manager: 100000017,
};
export const businessId = 301;

// The ordinary users that addMembers makes.
export const memberIds = (count) => Array.from({ length: count }, (_, i) => 100000101 + i);
