// What GET /api/utils/settings tells.
export interface Setting {
    Name: string;
    Value: string;
    From: string;
    Help: string;
    IsReloadable: boolean;
}

export interface Library {
    Name: string;
    Version: string;
    Licence: string;
}

export interface ServerSettings {
    Version: string;
    Build: string;
    Licence: string;
    Libraries: Library[];
    Settings: Setting[];
}
