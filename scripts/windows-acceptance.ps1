<#
.SYNOPSIS
  Shows on a real Windows what no emulation can: an image of a disk in use, by Volume Shadow Copies.

.DESCRIPTION
  Makes a virtual disk with an NTFS and a FAT32 volume, writes files on it without pause, images it with
  --consistency snapshot, attaches the image and compares it, restores it onto a second virtual disk and compares that.
  Everything lies in one folder, which must not be there before and is removed in the end; no other disk is touched.
  Needs an elevated PowerShell. Ends with 0 where all of it held, else with 1; the report is printed and written to -Report.

.EXAMPLE
  powershell -ExecutionPolicy Bypass -File windows-acceptance.ps1 -Ectype .\ectype.exe
#>
param(
    [Parameter(Mandatory = $true)] [string] $Ectype,
    [string] $Folder = (Join-Path $env:TEMP "ectype-acceptance"),
    [string] $Report = "windows-acceptance.txt",
    [int] $SizeMB = 1024
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$script:failures = 0
$Ectype = (Resolve-Path $Ectype).Path
# What attaches disks wants whole paths.
$Folder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Folder)
$source = Join-Path $Folder 'source.vhdx'
$image = Join-Path $Folder 'image.vhdx'
$target = Join-Path $Folder 'target.vhdx'

function Say([string] $Text) { Write-Host $Text; Add-Content -Path $Report -Value $Text }

function Check([string] $What, [bool] $Holds, [string] $More = '') {
    if ($Holds) { Say "ok      $What" } else { $script:failures++; Say "FAILED  $What  $More" }
}

# Runs the program: what it printed, and in $script:status and $script:errors how it ended.
function Invoke-Ectype([string[]] $Arguments) {
    # Where errors stop, Windows PowerShell stops at the first line on standard error.
    $ErrorActionPreference = 'Continue'
    $all = @(& $Ectype @Arguments 2>&1)
    $script:status = $LASTEXITCODE
    $script:errors = (@($all | Where-Object { $_ -is [Management.Automation.ErrorRecord] }) | Out-String).Trim()
    return @($all | Where-Object { $_ -isnot [Management.Automation.ErrorRecord] })
}

function How { return "status $script:status $script:errors" }

function FromJson($Lines) {
    $text = (@($Lines) -join "`n").Trim()
    if (-not $text) { throw "no result from ectype: $(How)" }
    return $text | ConvertFrom-Json
}

# Diskpart makes and attaches virtual disks on every Windows, Hyper-V or not.
function Invoke-DiskpartScript([string[]] $Lines) {
    $file = Join-Path $Folder 'diskpart.txt'
    Set-Content -Path $file -Value $Lines -Encoding Ascii
    $said = & "$env:SystemRoot\System32\diskpart.exe" /s $file
    if ($LASTEXITCODE -ne 0) { throw "diskpart: $($said -join ' ')" }
}

# The number of the disk that an attached file is, online.
function DiskOf([string] $Path) {
    for ($try = 0; $try -lt 50; $try++) {
        Update-HostStorageCache
        $disk = Get-DiskImage -ImagePath $Path | Get-Disk -ErrorAction SilentlyContinue
        if ($disk) {
            # A copy has the signature of its original: Windows sets the second one offline.
            if ($disk.IsOffline) { Set-Disk -Number $disk.Number -IsOffline $false -ErrorAction SilentlyContinue }
            return $disk.Number
        }
        Start-Sleep -Milliseconds 200
    }
    throw "$Path was attached, and no disk appeared"
}

function Detach([string] $Path) {
    if (Test-Path $Path) { Dismount-DiskImage -ImagePath $Path -ErrorAction SilentlyContinue | Out-Null }
}

function IsAttached([string] $Path) {
    if (-not (Test-Path $Path)) { return $false }
    $disk = Get-DiskImage -ImagePath $Path -ErrorAction SilentlyContinue
    return [bool]($disk -and $disk.Attached)
}

# The root of the NTFS volume of a disk, which gets a letter where it has none.
function NtfsRoot([int] $Disk) {
    for ($try = 0; $try -lt 50; $try++) {
        foreach ($partition in @(Get-Partition -DiskNumber $Disk -ErrorAction SilentlyContinue)) {
            $volume = $partition | Get-Volume -ErrorAction SilentlyContinue
            if (-not $volume -or $volume.FileSystem -ne 'NTFS') { continue }
            if ([int][char]$partition.DriveLetter -ne 0) { return "$($partition.DriveLetter):\" }
            $partition | Add-PartitionAccessPath -AssignDriveLetter -ErrorAction SilentlyContinue
        }
        Start-Sleep -Milliseconds 200
    }
    throw "disk $Disk shows no NTFS volume with a letter"
}

function Hashes([string] $Root) {
    $found = @{}
    foreach ($file in [IO.Directory]::GetFiles((Join-Path $Root 'still'))) {
        $stream = [IO.File]::OpenRead($file)
        try {
            $sha = [Security.Cryptography.SHA256]::Create()
            $found[[IO.Path]::GetFileName($file)] = [BitConverter]::ToString($sha.ComputeHash($stream))
        } finally { $stream.Dispose() }
    }
    return $found
}

function SameFiles($Expected, $Found) {
    if ($Expected.Count -ne $Found.Count) { return $false }
    foreach ($name in $Expected.Keys) { if ($Found[$name] -ne $Expected[$name]) { return $false } }
    return $true
}

$admin = ([Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()).IsInRole(
    [Security.Principal.WindowsBuiltInRole]::Administrator)
if (-not $admin) { Write-Host 'run this in an elevated PowerShell'; exit 1 }
if (Test-Path $Folder) { Write-Host "$Folder exists: remove it, or name another with -Folder"; exit 1 }

Set-Content -Path $Report -Value "ectype acceptance, $([DateTime]::UtcNow.ToString('u')), $([Environment]::OSVersion.VersionString)"
$Report = (Resolve-Path $Report).Path
$writer = $null
New-Item -ItemType Directory -Path $Folder | Out-Null
# From here on the folder is ours to remove.
try {
    Say "$(Invoke-Ectype '--version')"

    Invoke-DiskpartScript @(
        "create vdisk file=`"$source`" maximum=$SizeMB type=expandable", "select vdisk file=`"$source`"", 'attach vdisk',
        'convert gpt', "create partition primary size=$([int]($SizeMB * 3 / 4))", 'format fs=ntfs quick label=ACCEPT',
        'create partition primary', 'format fs=fat32 unit=2048 quick label=ACCFAT')
    $disk = DiskOf $source
    $device = "\\.\PhysicalDrive$disk"
    $root = NtfsRoot $disk
    Say "a virtual disk of $SizeMB MB: $device, $root"

    # What stays as it is, and what changes without pause.
    New-Item -ItemType Directory -Path (Join-Path $root 'still') | Out-Null
    $random = New-Object Random 4711
    for ($number = 0; $number -lt 200; $number++) {
        $bytes = New-Object byte[] ($random.Next(1, 400000))
        $random.NextBytes($bytes)
        [IO.File]::WriteAllBytes((Join-Path $root "still\$number.bin"), $bytes)
    }
    $expected = Hashes $root
    $writer = Start-Job -ArgumentList $root -ScriptBlock {
        param($root)
        # Every file twice, one after the other: in one instant the second is never ahead of the first.
        for ($round = 1; ; $round++) {
            foreach ($name in 'first', 'second') {
                $text = ("{0:d10}" -f $round) * 20000
                [IO.File]::WriteAllText((Join-Path $root "$name.txt"), $text)
            }
        }
    }
    Start-Sleep -Seconds 3

    $before = @(Get-CimInstance Win32_ShadowCopy).Count
    $json = Invoke-Ectype 'create', '--json', '--quiet', '--consistency', 'snapshot', $device, $image
    Check 'create --consistency snapshot ends with 0' ($script:status -eq 0) (How)
    Check 'the writer wrote to the end' ($writer.State -eq 'Running') "$($writer.State)"
    $result = FromJson $json
    Check 'the image is whole, by snapshot' ($result.status -eq 'whole' -and $result.plan.consistency -eq 'snapshot')
    $parts = @($result.plan.parts)
    Check 'the NTFS volume is of the instant' (@($parts | Where-Object { $_.instant }).Count -ge 1)
    Check 'the FAT volume is marked as not of it' (
        @($parts | Where-Object { $_.from -eq 'volume' -and -not $_.instant }).Count -ge 1)
    Check 'no snapshot is left' (@(Get-CimInstance Win32_ShadowCopy).Count -eq $before)
    $notes = Join-Path $env:ProgramData 'ectype\snapshots'
    Check 'no note is left' (-not (Test-Path $notes) -or @(Get-ChildItem $notes).Count -eq 0)
    Stop-Job $writer; Remove-Job $writer; $writer = $null

    Invoke-Ectype 'create', '--quiet', '--consistency', 'snapshot', $device, (Join-Path $root 'on-itself.vhdx') | Out-Null
    Check 'an image on what is imaged is refused with 1' ($script:status -eq 1) (How)

    Invoke-Ectype 'verify', '--quiet', $image | Out-Null
    Check 'the image is what its record says' ($script:status -eq 0) (How)

    # The original must be away, or its copy is offline for having the same signature.
    Detach $source
    Mount-DiskImage -ImagePath $image -Access ReadOnly | Out-Null
    $copy = DiskOf $image
    $root = NtfsRoot $copy
    Check 'Windows attaches the image, and its files are those of before' (SameFiles $expected (Hashes $root))
    $first = [IO.File]::ReadAllText((Join-Path $root 'first.txt'))
    $second = [IO.File]::ReadAllText((Join-Path $root 'second.txt'))
    $rounds = @($first, $second | ForEach-Object { if ($_.Length -ge 10) { [int64]$_.Substring(0, 10) } else { 0 } })
    Check 'of one instant: the second file is not ahead of the first' ($rounds[1] -le $rounds[0] -or $first.Length -lt 200000) "$rounds"
    Invoke-Ectype 'verify', '--quiet', $image, "\\.\PhysicalDrive$copy" | Out-Null
    Check 'the attached disk equals the image' ($script:status -eq 0) (How)
    Detach $image

    Invoke-DiskpartScript @("create vdisk file=`"$target`" maximum=$SizeMB type=expandable", "select vdisk file=`"$target`"", 'attach vdisk')
    $number = DiskOf $target
    $drive = "\\.\PhysicalDrive$number"
    $plan = FromJson (Invoke-Ectype 'restore', '--json', '--dry-run', '--quiet', $image, $drive)
    Check 'the plan of a restore asks for a word' ($script:status -eq 0 -and $plan.plan.confirm) (How)
    Invoke-Ectype 'restore', '--quiet', '--confirm', $plan.plan.confirm, $image, $drive | Out-Null
    Check 'restore ends with 0' ($script:status -eq 0) (How)
    $number = DiskOf $target
    $root = NtfsRoot $number
    Check 'the restored disk has the files of before' (SameFiles $expected (Hashes $root))
    $sane = Repair-Volume -DriveLetter $root[0] -Scan
    Check 'its file system is sound' ("$sane" -eq 'NoErrorsFound') "$sane"
} catch {
    $script:failures++
    Say "FAILED  $($_.Exception.Message)  ($($_.InvocationInfo.PositionMessage))"
} finally {
    if ($writer) { Stop-Job $writer -ErrorAction SilentlyContinue; Remove-Job $writer -Force -ErrorAction SilentlyContinue }
    foreach ($path in $source, $image, $target) { Detach $path }
    $attached = @($source, $image, $target | Where-Object { IsAttached $_ })
    if ($attached.Count -gt 0) {
        Say "$attached could not be detached: $Folder stays"
    } else {
        Remove-Item -Recurse -Force $Folder -ErrorAction SilentlyContinue
    }
}
Say "$script:failures failed"
exit $(if ($script:failures) { 1 } else { 0 })
