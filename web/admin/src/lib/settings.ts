// What GET /api/utils/settings and GET /api/utils/maintenance tell.
export interface Maintenance {
    BackupFolder: string | null;
    Task: 'Backup' | 'Check' | null;
    StartedOn: string | null;
    EndedOn: string | null;
    IsRunning: boolean;
    HasSucceeded: boolean | null;
    Lines: string[];
    HasMoreLines: boolean;
}

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
