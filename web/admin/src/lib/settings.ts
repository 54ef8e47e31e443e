// What GET /api/utils/settings tells.
export interface Setting {
    Name: string;
    Value: string;
    From: string;
    Help: string;
    IsReloadable: boolean;
}

export interface ServerSettings {
    Version: string;
    Build: string;
    Settings: Setting[];
}
